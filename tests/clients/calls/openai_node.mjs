// OpenAI's SDK for Node.
import { createReadStream } from "node:fs";
import OpenAI from "openai";
import { BASE_URL, FILE, KEY, call } from "./seen.mjs";

const client = new OpenAI({ baseURL: BASE_URL, apiKey: KEY });
const create = (options) =>
  client.audio.transcriptions.create({ file: createReadStream(FILE), model: "whisper-1", ...options });

await call("json", async () => (await create({})).text);
await call("verbose_json with words", async () => {
  const answer = await create({
    response_format: "verbose_json",
    timestamp_granularities: ["word", "segment"],
  });
  return answer.words.map((word) => word.word).join(" ");
});
await call("server_vad", async () =>
  (await create({ chunking_strategy: { type: "server_vad", threshold: 0.6, silence_duration_ms: 500 } })).text);
await call("logprobs", async () =>
  (await create({ include: ["logprobs"] })).logprobs.map((logprob) => logprob.token).join(""));
await call("diarized_json", async () =>
  (await create({ response_format: "diarized_json", chunking_strategy: "auto" })).text);
await call("stream", async () => {
  let text = "";
  for await (const event of await create({ stream: true })) {
    if (event.type === "transcript.text.delta") text += event.delta;
  }
  return text;
});
await call("vtt", async () => String(await create({ response_format: "vtt" })));
