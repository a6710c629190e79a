// What a client of live sessions needs beside the client: somebody who speaks, and a front with TLS.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import net from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout } from "node:timers/promises";
import tls from "node:tls";
import { BASE_URL } from "./seen.mjs";

const FRAME_S = 0.05;
const SPEED = 2;
const SECONDS = 16;

// The first seconds of a recording of 16 kHz, mono, and the silence behind it that ends a turn: base64
// of 16 bits at 24 kHz, twice as fast as it was spoken.
export async function* frames(file) {
  const wav = readFileSync(file).subarray(44);
  const heard = new Int16Array(wav.buffer.slice(wav.byteOffset, wav.byteOffset + 32_000 * SECONDS));
  const samples = new Int16Array(24_000 * (SECONDS + 1.5));
  for (let n = 0; n < 24_000 * SECONDS; n++) {
    const [at, part] = [Math.floor((n * 2) / 3), ((n * 2) % 3) / 3];
    samples[n] = heard[at] * (1 - part) + (heard[at + 1] ?? 0) * part;
  }
  for (let start = 0; start < samples.length; start += 24_000 * FRAME_S) {
    yield Buffer.from(samples.slice(start, start + 24_000 * FRAME_S).buffer).toString("base64");
    await setTimeout((1000 * FRAME_S) / SPEED);
  }
}

// The service by TLS, with a certificate that nobody vouches for.
export async function tlsFront() {
  const folder = mkdtempSync(path.join(tmpdir(), "rayscribe-tls-"));
  const [key, cert] = ["key.pem", "cert.pem"].map((name) => path.join(folder, name));
  execFileSync("openssl", [
    "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=localhost",
    "-keyout", key, "-out", cert,
  ], { stdio: "ignore" });
  const { hostname, port } = new URL(BASE_URL);
  const server = tls.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, (outside) => {
    const inside = net.connect(Number(port), hostname);
    outside.pipe(inside).pipe(outside);
    for (const [one, other] of [[inside, outside], [outside, inside]]) one.on("error", () => other.destroy());
  });
  rmSync(folder, { recursive: true });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    baseURL: `https://127.0.0.1:${server.address().port}/v1`,
    close: () => server.close(),
  };
}
