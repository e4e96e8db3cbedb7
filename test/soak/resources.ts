/** What a process holds. */
export interface Resources {
  /** Bytes in use after garbage collection: the heap, and what buffers hold outside of it. */
  readonly memory: number;
  /** Open handles, requests and timers that keep the process alive, counted by kind. */
  readonly handles: Readonly<Record<string, number>>;
}

/** Of this process, which was started with `--expose-gc`. */
export function resources(): Resources {
  globalThis.gc?.();
  globalThis.gc?.(); // what finalisers let go
  const { heapUsed, external } = process.memoryUsage();
  const handles: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) handles[kind] = (handles[kind] ?? 0) + 1;
  return { memory: heapUsed + external, handles };
}

export interface Bounds {
  /** Bytes that memory may grow by for each unit of work. */
  readonly perUnit: number;
  /** And altogether: what a process needs when it has run for longer. */
  readonly slack: number;
}

/** What has grown between two looks with so many units of work between them; empty where all has returned to where it was. */
export function grown(before: Resources, after: Resources, units: number, { perUnit, slack }: Bounds): readonly string[] {
  const found: string[] = [];
  const growth = after.memory - before.memory;
  if (growth > slack + perUnit * units) found.push(`memory by ${Math.round(growth / 1024)} KiB, ${Math.round(growth / units)} bytes each`);
  for (const [kind, count] of Object.entries(after.handles)) {
    const was = before.handles[kind] ?? 0;
    if (count > was) found.push(`${kind} from ${was} to ${count}`);
  }
  return found;
}
