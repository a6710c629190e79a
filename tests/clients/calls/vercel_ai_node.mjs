// Vercel's AI SDK with its provider for OpenAI.
import { readFile } from "node:fs/promises";
import { createOpenAI } from "@ai-sdk/openai";
import * as ai from "ai";
import { BASE_URL, FILE, KEY, call } from "./seen.mjs";

const openai = createOpenAI({ baseURL: BASE_URL, apiKey: KEY });
const transcribe = ai.transcribe ?? ai.experimental_transcribe;
const audio = await readFile(FILE);
const ask = async (model, options) =>
  (await transcribe({
    model: openai.transcription(model),
    audio,
    providerOptions: options ? { openai: options } : undefined,
    maxRetries: 0,
  })).text;

for (const model of ["whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"]) {
  await call(`${model}`, () => ask(model));
  await call(`${model}, timestampGranularities`, () => ask(model, { timestampGranularities: ["word"] }));
}
await call("whisper-1, language, prompt, temperature", () =>
  ask("whisper-1", { language: "en", prompt: "A telephone call.", temperature: 0 }));
