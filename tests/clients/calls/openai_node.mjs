// OpenAI's SDK for Node.
import { createReadStream } from "node:fs";
import OpenAI from "openai";
import { OpenAIRealtimeWS } from "openai/realtime/ws";
import { frames, tlsFront } from "./live.mjs";
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

// It opens wss: only, with a model in the query, so that something has to speak TLS before the service.
const front = await tlsFront();
const live = new OpenAI({ baseURL: front.baseURL, apiKey: KEY });
const seen = { deltas: "", completed: "" };
await call("realtime", async () => {
  const socket = await OpenAIRealtimeWS.create(live, {
    model: "gpt-4o-transcribe",
    options: { rejectUnauthorized: false },
  });
  try {
    await new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.socket.on("close", (code, reason) => reject(new Error(`closed with ${code}: ${reason}`)));
      socket.on("session.created", () =>
        socket.send({
          type: "session.update",
          session: {
            type: "transcription",
            audio: { input: { transcription: { model: "gpt-4o-transcribe", language: "en" } } },
          },
        }));
      socket.on("session.updated", async () => {
        for await (const audio of frames(FILE)) socket.send({ type: "input_audio_buffer.append", audio });
        // Behind the answer to this, nothing is missing.
        socket.send({ type: "input_audio_buffer.clear" });
      });
      const text = "conversation.item.input_audio_transcription";
      let open = 0;
      let ended = false;
      const whether = () => ended && !open && resolve();
      socket.on("input_audio_buffer.speech_started", () => (open += 1));
      socket.on("input_audio_buffer.cleared", () => whether((ended = true)));
      socket.on(`${text}.delta`, (event) => (seen.deltas += event.delta));
      socket.on(`${text}.completed`, (event) => {
        seen.completed += event.transcript;
        whether((open -= 1));
      });
    });
  } finally {
    socket.close();
    front.close();
  }
  if (seen.deltas !== seen.completed) throw new Error(`'${seen.deltas}' became '${seen.completed}'`);
  return seen.completed;
});
