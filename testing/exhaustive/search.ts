import { createHash } from 'node:crypto';

/** One run of a small scope: what may happen next, and the hash by which equal states are known. */
export interface SearchWorld {
  /** What may happen now, in words; the first is what would as a rule. The same for equal states. */
  choices(): readonly string[];
  /** Lets it happen, and all that follows without time. */
  take(choice: string): Promise<void>;
  fingerprint(): string;
  /** What is wrong already. */
  violations(): readonly string[];
  /** Lets all end as a rule it would, closes everything. @returns what is wrong then. */
  finish(): Promise<readonly string[]>;
  /** Lets go of it, finished or not. */
  dispose(): void;
}

/** A scope: the same world at each call. */
export interface Scope {
  readonly name: string;
  create(): Promise<SearchWorld>;
}

export interface SearchOptions {
  /** Choices in a row; what follows goes its usual way. */
  readonly depth: number;
  /** How many of them may be unusual. Default all. */
  readonly unusual?: number;
  /** Stops at so many violations. Default 1. */
  readonly violations?: number;
  readonly progress?: (result: SearchResult) => void;
}

export interface SearchResult {
  readonly scope: string;
  readonly depth: number;
  readonly unusual: number;
  /** Runs from the start. */
  worlds: number;
  states: number;
  /** Worlds that were not run to their end, since an equal state had been. */
  cut: number;
  /** Whether the bound stopped any of them: if not, there are no other states. */
  bounded: number;
  readonly violations: FoundViolation[];
}

export interface FoundViolation {
  readonly what: string;
  /** Replays it. */
  readonly path: readonly string[];
}

/** Every order of choices to a depth, depth first. Live actors cannot be copied, so each world runs its prefix again from the start. */
export async function search(scope: Scope, { depth, unusual = depth, violations = 1, progress }: SearchOptions): Promise<SearchResult> {
  const result: SearchResult = { scope: scope.name, depth, unusual, worlds: 0, states: 0, cut: 0, bounded: 0, violations: [] };
  const visited = new Visited();
  const waiting: Prefix[] = [{ path: [], unusual: 0 }];
  for (let prefix = waiting.pop(); prefix !== undefined && result.violations.length < violations; prefix = waiting.pop()) {
    result.worlds += 1;
    await explore(await scope.create(), prefix, { depth, unusual, result, visited, waiting });
    if (result.worlds % 500 === 0) progress?.(result);
  }
  return result;
}

/** Runs one path again, to see what happens. */
export async function replay(scope: Scope, path: readonly string[]): Promise<readonly string[]> {
  const world = await scope.create();
  try {
    for (const choice of path) await world.take(choice);
    const now = world.violations();
    return now.length > 0 ? now : await world.finish();
  } finally {
    world.dispose();
  }
}

interface Prefix {
  readonly path: readonly string[];
  readonly unusual: number;
}

interface Exploration {
  readonly depth: number;
  readonly unusual: number;
  readonly result: SearchResult;
  readonly visited: Visited;
  readonly waiting: Prefix[];
}

async function explore(world: SearchWorld, prefix: Prefix, { depth, unusual, result, visited, waiting }: Exploration): Promise<void> {
  const path = [...prefix.path];
  const own = new Set<string>();
  const found = (wrong: readonly string[]): boolean => {
    for (const what of wrong) result.violations.push({ what, path: [...path] });
    return wrong.length > 0;
  };
  try {
    for (const choice of prefix.path) await world.take(choice);
    for (;;) {
      if (found(world.violations())) return;
      const state = hash(world.fingerprint());
      if (own.has(state)) break; // nothing changes any more but time
      own.add(state);
      if (visited.covers(state, depth - path.length, unusual - prefix.unusual)) return void (result.cut += 1);
      result.states = visited.size;
      const [usual, ...others] = world.choices();
      if (usual === undefined) break;
      if (path.length >= depth) {
        result.bounded += 1;
        break;
      }
      if (prefix.unusual < unusual) for (const other of others.reverse()) waiting.push({ path: [...path, other], unusual: prefix.unusual + 1 });
      await world.take(usual);
      path.push(usual);
    }
    found(await world.finish());
  } catch (error) {
    found([`thrown: ${error instanceof Error ? error.stack ?? error.message : String(error)}`]);
  } finally {
    world.dispose();
  }
}

const hash = (state: string): string => createHash('sha1').update(state).digest('base64');

/** States that were explored, and how far. */
class Visited {
  readonly #states = new Map<string, { depth: number; unusual: number }[]>();

  get size(): number { return this.#states.size; }

  /** Whether all that can be reached from here within these bounds has been or will be; if not, it counts as such from now on. */
  covers(state: string, depth: number, unusual: number): boolean {
    const known = this.#states.get(state) ?? [];
    if (known.some((bounds) => bounds.depth >= depth && bounds.unusual >= unusual)) return true;
    this.#states.set(state, [...known.filter((bounds) => bounds.depth > depth || bounds.unusual > unusual), { depth, unusual }]);
    return false;
  }
}
