// grind for Node and for pages: promises, events and options around the object that is stepped.
//
// Nothing here starts a worker, shares memory or waits: `drive` lets the checker work for a while, gives the thread back, and goes on.

import init, { Checker, lastPanic, version as versionOf } from './grind.js';

/** Milliseconds for which the page is kept at a time. A step that takes long by itself comes on top. */
const BUDGET = 6;

/** Options that this file takes itself; all others go to the module. */
const OWN = new Set(['signal', 'onProgress', 'stdin', 'stdout', 'stderr', 'files', 'module', 'allowTruncated']);

/**
 * Options of Node's `WASI` and of `@emnapi/wasi-threads` that have nothing to act on: there is no worker, and the process never ends
 * for a guest.
 */
const WITHOUT_EFFECT = new Set([
  'returnOnExit', 'version', 'reuseWorker', 'waitThreadStart', 'onCreateWorker', 'printErr', 'threadManager',
  'postMessage', 'childThread', 'wasi',
]);

/** Why something could not be checked. `code` says what kind of error it is. */
export class GrindError extends Error {
  constructor(message, code, options) {
    super(message, options);
    this.name = 'GrindError';
    this.code = code;
  }
}

let loading;

/**
 * Loads the WebAssembly of grind, once: from bytes, a `WebAssembly.Module`, a URL or a `Response`; otherwise from beside this file.
 * The other functions do it by themselves.
 */
export function load(source) {
  loading ??= start(source).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

async function start(source) {
  let from = source ?? globalThis.__grindWasm;
  if (from === undefined) {
    from = new URL('./grind_bg.wasm', import.meta.url);
    if (from.protocol === 'file:' && globalThis.process?.versions?.node) {
      const { readFile } = await import('node:fs/promises');
      from = await readFile(from);
    }
  }
  await init({ module_or_path: from });
}

/** The version of grind. */
export async function version() {
  await load();
  return versionOf();
}

/** Runs a module under many seeds, and reports what is wrong in any of them. */
export async function check(module, options = {}) {
  const bytes = bytesOf(module, 'the module');
  return drive((json) => Checker.check(bytes, json), options);
}

/** Runs a module under one seed. */
export async function run(module, options = {}) {
  const bytes = bytesOf(module, 'the module');
  const given = options.trace === true ? { ...options, trace: 'light' } : options;
  return drive((json) => Checker.run(bytes, json), given.trace ? { embedModule: true, ...given } : given);
}

/** Runs again what a trace has recorded, here or by the command. */
export async function replay(trace, options = {}) {
  const bytes = bytesOf(trace, 'the trace');
  const module = options.module === undefined ? undefined : bytesOf(options.module, 'the module');
  const report = await drive((json) => Checker.replay(bytes, module, json), options);
  if (report.truncated && !options.allowTruncated) {
    const error = new GrindError(
      'the trace is truncated: the run was ended where it ends; `report` of this error is what was found until there',
      'truncated',
    );
    error.report = report;
    throw error;
  }
  return report;
}

/** Whether bytes begin as a trace of grind does. */
export function isTrace(bytes) {
  const begin = bytesOf(bytes, 'the bytes').subarray(0, 8);
  return new TextDecoder('latin1').decode(begin) === 'GRINDTRC';
}

/** What came of it. */
export class Report {
  #checker;

  constructor(checker, stdout, stderr, files) {
    this.#checker = checker;
    Object.assign(this, JSON.parse(checker.render('json')));
    this.exitCode = checker.exitCode;
    this.truncated = checker.truncated;
    this.trace = checker.trace;
    this.stdout = stdout;
    this.stderr = stderr;
    this.files = files;
  }

  /** As one HTML page, text for a person, or any kind that `grind run --report` has here. */
  render(kind) {
    return guarded(() => this.#checker.render(kind));
  }

  html() {
    return this.render('html');
  }

  text() {
    return this.render('human');
  }
}

async function drive(make, options) {
  if (options === null || typeof options !== 'object') {
    throw new GrindError('the options are an object', 'options');
  }
  const { signal, onProgress } = options;
  signal?.throwIfAborted();
  const json = await inJson(options);
  const stdin = await inputOf(options.stdin);
  const files = filesOf(options.files);
  const stdout = await sinkOf(options.stdout, 'stdout');
  const stderr = await sinkOf(options.stderr, 'stderr');
  await load();
  await aside();
  const checker = guarded(() => make(json));
  let whole = false;
  try {
    if (stdin) checker.setStdin(stdin);
    for (const [path, bytes] of files) guarded(() => checker.addFile(path, bytes));
    let told = '';
    for (;;) {
      signal?.throwIfAborted();
      const done = guarded(() => checker.step(BUDGET));
      stdout.put(checker.takeStdout());
      stderr.put(checker.takeStderr());
      const { runs, of, findings, words } = checker;
      if (onProgress && told !== (told = `${runs} ${findings} ${words}`)) {
        onProgress({ runs, of, findings, words });
      }
      if (done) break;
      await aside();
    }
    // Writing it takes as long as a step, for the first time.
    await aside();
    whole = true;
    return new Report(checker, stdout.bytes(), stderr.bytes(), filesLeft(checker));
  } finally {
    // A report renders later.
    if (!whole) checker.free();
  }
}

/** A panic is an exception of WebAssembly that says nothing: the message is asked for. */
function guarded(act) {
  try {
    return act();
  } catch (error) {
    if (error instanceof WebAssembly.RuntimeError || error instanceof RangeError) {
      const said = lastPanic() || error.message;
      // What it left behind is not used again.
      loading = undefined;
      throw new GrindError(`grind failed, which is a defect of it: ${said}`, 'defect', { cause: error });
    }
    if (error instanceof Error && typeof error.code === 'string') {
      throw new GrindError(error.message, error.code);
    }
    throw error;
  }
}

/** Lets whatever else waits for this thread run. `setTimeout` would wait for 4 ms in a page. */
const aside = (() => {
  if (globalThis.process?.versions?.node) {
    return () => new Promise((resolve) => setImmediate(resolve));
  }
  const channel = new MessageChannel();
  const waiting = [];
  channel.port1.onmessage = () => waiting.shift()();
  return () => new Promise((resolve) => {
    waiting.push(resolve);
    channel.port2.postMessage(0);
  });
})();

function bytesOf(given, what) {
  if (given instanceof Uint8Array) return given;
  if (given instanceof ArrayBuffer) return new Uint8Array(given);
  if (ArrayBuffer.isView(given)) return new Uint8Array(given.buffer, given.byteOffset, given.byteLength);
  if (given instanceof WebAssembly.Module) {
    throw new GrindError(`${what} is given as bytes: a WebAssembly.Module does not give its bytes back`, 'options');
  }
  throw new GrindError(`${what} is given as bytes: a Uint8Array or an ArrayBuffer`, 'options');
}

async function inJson(options) {
  const given = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined || OWN.has(name) || WITHOUT_EFFECT.has(name)) continue;
    if (name === 'preopens') {
      given.preopens = preopensOf(value);
      continue;
    }
    given[name] = name === 'seeds' ? seedsOf(value) : value;
  }
  if (given.env) {
    // As Node does with `process.env`.
    given.env = Object.fromEntries(Object.entries(given.env).filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, String(value)]));
  }
  if (given.args) given.args = Array.from(given.args, String);
  return JSON.stringify(given, (_, value) => (typeof value === 'bigint' ? JSON.rawJSON?.(String(value)) ?? Number(value) : value));
}

/** `[0, 20]`, `'0..20'`, or 20 for the same. */
function seedsOf(seeds) {
  const whole = (seed) => (typeof seed === 'bigint' && seed >= 0n) || (Number.isSafeInteger(seed) && seed >= 0);
  if (typeof seeds === 'string') return seeds;
  if (whole(seeds)) return `0..${seeds}`;
  if (Array.isArray(seeds) && seeds.length === 2 && seeds.every(whole)) return `${seeds[0]}..${seeds[1]}`;
  throw new GrindError('seeds: expected [first, end], as in [0, 20], a number of seeds, or a text as 0..20', 'options');
}

/** Directories of `files` for the guest, as pairs of its name for one and the path there. */
function preopensOf(preopens) {
  const pairs = preopens !== null && typeof preopens === 'object' ? Object.entries(preopens) : undefined;
  if (!pairs?.every(([, path]) => typeof path === 'string')) {
    throw new GrindError("preopens: expected an object, of the guest's names for directories to paths in `files`", 'options');
  }
  return pairs;
}

/** Files for the guest, as pairs of a path and bytes. */
function filesOf(files = {}) {
  if (files === null || typeof files !== 'object') {
    throw new GrindError('files: expected an object, of paths to text or bytes', 'options');
  }
  return Object.entries(files).map(([path, contents]) => [
    path, typeof contents === 'string' ? new TextEncoder().encode(contents) : bytesOf(contents, `files: ${path}`),
  ]);
}

/** What the first run left of them. */
function filesLeft(checker) {
  const contents = checker.fileContents();
  return Object.fromEntries(checker.fileNames().map((path, index) => [path, contents[index]]));
}

/** Standard input: bytes, text, or in Node a file descriptor, which is read to its end. */
async function inputOf(stdin) {
  if (stdin === undefined) return undefined;
  if (typeof stdin === 'string') return new TextEncoder().encode(stdin);
  if (Number.isInteger(stdin)) {
    const { readFileSync } = await nodeFs('stdin');
    return readFileSync(stdin);
  }
  return bytesOf(stdin, 'stdin');
}

/** Standard output: a function that is given pieces, in Node a file descriptor, or nothing, and then it is in the report. */
async function sinkOf(to, name) {
  const pieces = [];
  const kept = { put: (bytes) => bytes.length && pieces.push(bytes), bytes: () => joined(pieces) };
  if (to === undefined) return kept;
  let put;
  if (typeof to === 'function') {
    put = to;
  } else if (Number.isInteger(to)) {
    const { writeSync } = await nodeFs(name);
    put = (bytes) => {
      for (let at = 0; at < bytes.length;) at += writeSync(to, bytes, at);
    };
  } else {
    throw new GrindError(`${name}: expected a function, or in Node a file descriptor`, 'options');
  }
  return { put: (bytes) => bytes.length && put(bytes), bytes: () => new Uint8Array() };
}

async function nodeFs(name) {
  if (!globalThis.process?.versions?.node) {
    throw new GrindError(`${name}: a page has no file descriptors`, 'options');
  }
  return import('node:fs');
}

function joined(pieces) {
  const all = new Uint8Array(pieces.reduce((len, piece) => len + piece.length, 0));
  pieces.reduce((at, piece) => (all.set(piece, at), at + piece.length), 0);
  return all;
}
