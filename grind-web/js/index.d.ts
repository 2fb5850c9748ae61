/** Bytes of a module or a trace. */
export type Bytes = Uint8Array | ArrayBuffer | ArrayBufferView;

export interface Progress {
  /** Runs that have ended. */
  runs: number;
  /** Runs that are to be made. */
  of: number;
  /** Findings so far. */
  findings: number;
  /** Words of records so far: what the guests have done. */
  words: number;
}

/** What all functions take. */
export interface CommonOptions {
  /** Ends it; the promise is rejected with the signal's reason. */
  signal?: AbortSignal;
  /** Called between steps, where something has changed. */
  onProgress?: (progress: Progress) => void;
  /** Takes what the guest prints; in Node also a file descriptor. If it is left out, the report has it. */
  stdout?: ((bytes: Uint8Array) => void) | number;
  stderr?: ((bytes: Uint8Array) => void) | number;
  /** Look for races; otherwise only run. Default: true. */
  detect?: boolean;
  /** End a run at its first finding. */
  haltOnError?: boolean;
}

/** What decides what happens in a run. Names are those of Node's `WASI` where it has them. */
export interface RunOptions extends CommonOptions {
  /** Arguments, the program's name first. */
  args?: string[];
  env?: Record<string, string | undefined>;
  /** Text, bytes, or in Node a file descriptor, which is read to its end beforehand. */
  stdin?: string | Bytes | number;
  /** The module's name, for reports. */
  name?: string;
  /** A strategy of `grind run --scheduler`. */
  scheduler?: string;
  /** The exported function that is run. Default: `_start`, else `main`. */
  invoke?: string;
  /** Run threads to their ends that run when main has returned. */
  waitForThreads?: boolean;
  maxThreads?: number;
  /** Bytes of guest memory. */
  maxMemory?: number;
  /** Instructions, about; at it a run ends. */
  maxSteps?: number;

  /**
   * Files for the guest, in memory: paths, and text or bytes. The directories that they are in are there; an empty one is a path with a slash
   * at its end. Each run begins with them as they are given. At most 256 MiB.
   */
  files?: Record<string, Bytes | string>;
  /** What the guest sees of them: its name for a directory, and the path in `files`. Default: all, as `{ '/': '/' }`. */
  preopens?: Record<string, string>;

  /** Accepted, and without effect: the process never ends for a guest. */
  returnOnExit?: boolean;
  /** Accepted, and without effect: what a guest imports says which version it is of. */
  version?: string;
  /** Accepted, and without effect, as all of `@emnapi/wasi-threads`: there are no workers. */
  reuseWorker?: unknown;
  waitThreadStart?: unknown;
  onCreateWorker?: unknown;
  printErr?: unknown;
  threadManager?: unknown;
  postMessage?: unknown;
  childThread?: unknown;
  wasi?: unknown;
}

export interface CheckOptions extends RunOptions {
  /** `[first, end]`, without the end; a number of seeds; or `'0..20'`. Default: `[0, 20]`. */
  seeds?: [number | bigint, number | bigint] | number | string;
  /** End at the first seed with findings. */
  failFast?: boolean;
}

export interface OneRunOptions extends RunOptions {
  /** Default: 0. */
  seed?: number;
  /** Record a trace; `true` is `'light'`. */
  trace?: boolean | 'light' | 'full';
  /** Put the module into the trace. Default: true. */
  embedModule?: boolean;
}

export interface ReplayOptions extends CommonOptions {
  /** The module, if it is not in the trace. */
  module?: Bytes;
  /** Do not fail because the end of the trace is missing. */
  allowTruncated?: boolean;
}

export interface Finding {
  kind: string;
  title: string;
  fingerprint: string;
  [more: string]: unknown;
}

/** The JSON report of grind (`docs/reports.md`), and what the run was besides. */
export class Report {
  private constructor();
  findings: Finding[];
  /** What `grind run` exits with: 66 for findings, 134 for a trap, else the guest's own. */
  exitCode: number;
  /** It is of a trace that ended before the run did. */
  truncated: boolean;
  /** The trace, if one was recorded. */
  trace?: Uint8Array;
  /** What the guest printed, unless something took it; of many seeds the first prints. */
  stdout: Uint8Array;
  stderr: Uint8Array;
  /** The files as the guest left them, by their paths from `/`; of many seeds the first run's. Empty after a replay. */
  files: Record<string, Uint8Array>;
  /** Any other part of the JSON report. */
  [more: string]: unknown;
  /** As one page that needs no network. */
  html(): string;
  /** As text for a person. */
  text(): string;
  render(kind: 'html' | 'human' | 'json' | 'markdown' | 'github' | 'gitlab' | 'tsan'): string;
}

export type ErrorCode =
  | 'options' | 'module' | 'no-threads' | 'run' | 'trace' | 'truncated' | 'no-module' | 'other-module' | 'diverged'
  | 'over' | 'defect';

export class GrindError extends Error {
  code: ErrorCode;
  /** Of a truncated trace: what was found until there. */
  report?: Report;
}

/** Runs a module under many seeds, and reports what is wrong in any of them. */
export function check(module: Bytes, options?: CheckOptions): Promise<Report>;
/** Runs a module under one seed. */
export function run(module: Bytes, options?: OneRunOptions): Promise<Report>;
/** Runs again what a trace has recorded, here or by the command. */
export function replay(trace: Bytes, options?: ReplayOptions): Promise<Report>;
/** Whether bytes begin as a trace of grind does. */
export function isTrace(bytes: Bytes): boolean;
/** Loads the WebAssembly of grind, once, from what is given or from beside this file. The others do it by themselves. */
export function load(source?: BufferSource | WebAssembly.Module | URL | string | Response): Promise<void>;
/** The version of grind. */
export function version(): Promise<string>;
