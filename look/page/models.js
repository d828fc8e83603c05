// Load models once, and run them one call at a time.

import * as ort from "./ort/ort.wasm.bundle.min.mjs";
import { tokenizerOf } from "./tokenizers.js";

const MODELS = "models/";
const opened = new Map();
let ready = null;
let queue = Promise.resolve();

export const manifest = fetch(`${MODELS}manifest.json`).then((x) => x.json());

async function gunzip(url) {
  const answer = await fetch(url);
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  const stream = answer.body.pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).arrayBuffer();
}

function runtime() {
  ready ??= gunzip("ort/ort-wasm-simd-threaded.wasm.gz").then((binary) => {
    ort.env.wasm.wasmBinary = binary;
    ort.env.wasm.numThreads = 1;
    ort.env.logLevel = "error";
  });
  return ready;
}

async function open(name) {
  const [list] = await Promise.all([manifest, runtime()]);
  const entry = list[name];
  if (!entry) throw new Error(`no model ${name}`);
  const bytes = await gunzip(MODELS + entry.file);
  const options = { executionProviders: ["wasm"], graphOptimizationLevel: "all" };
  return ort.InferenceSession.create(new Uint8Array(bytes), options);
}

/** The session of a model, loaded at the first call. */
export function session(name) {
  if (!opened.has(name)) {
    const loading = open(name);
    loading.catch(() => opened.delete(name));
    opened.set(name, loading);
  }
  return opened.get(name);
}

export const isLoaded = (name) => opened.has(name);

/** Kilobytes to fetch for these models, those loaded not counted. */
export async function sizeOf(names) {
  const list = await manifest;
  const missing = names.filter((name) => !isLoaded(name));
  const wasm = ready ? 0 : list.runtime.bytes;
  return wasm + missing.reduce((sum, name) => sum + list[name].bytes, 0);
}

export async function tokenizer(name) {
  const list = await manifest;
  return tokenizerOf(list.tokenizers[name]);
}

export const ints = (values, dims) =>
  new ort.Tensor("int32", Int32Array.from(values), dims ?? [1, values.length]);

export const floats = (values, dims) =>
  new ort.Tensor("float32", Float32Array.from(values), dims);

/** Run a model: inputs and outputs are tensors {data, dims}, by name. */
export function run(name, inputs) {
  const job = queue.then(async () => {
    const model = await session(name);
    const read = Object.fromEntries(Object.entries(inputs)
      .filter(([key]) => model.inputNames.includes(key)));
    return model.run(read);
  });
  queue = job.catch(() => {});
  return job;
}

/** Softmax of a slice of an array. */
export function softmax(data, begin = 0, end = data.length, temperature = 1) {
  let most = -Infinity;
  for (let n = begin; n < end; n++) most = Math.max(most, data[n]);
  const powers = new Float64Array(end - begin);
  let sum = 0;
  for (let n = begin; n < end; n++) {
    sum += powers[n - begin] = Math.exp((data[n] - most) / temperature);
  }
  return powers.map((x) => x / sum);
}

/** Indices of the k largest numbers, the largest first. */
export function topK(values, k) {
  return Array.from(values.keys()).sort((a, b) => values[b] - values[a])
    .slice(0, k);
}
