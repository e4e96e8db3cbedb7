import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

/** A process of the bench or of the soak test, and ended with it. */
export class Child<Ready> {
  static readonly #all = new Set<Child<unknown>>();
  readonly ready: Promise<Ready>;
  readonly ended: Promise<void>;
  readonly #process: ChildProcess;
  #waiting: { readonly resolve: (answer: unknown) => void; readonly reject: (error: Error) => void } | undefined;

  /** @param program a file in bench/children, without its ending; or any. */
  constructor(program: string | URL, input: object = {}) {
    const url = typeof program === 'string' ? new URL(`./children/${program}.js`, import.meta.url) : program;
    const profile = process.execArgv.filter((argument) => argument.startsWith('--cpu-prof')); // of both sides, if any
    this.#process = fork(fileURLToPath(url), [JSON.stringify(input)], { execArgv: ['--expose-gc', ...profile] });
    Child.#all.add(this);
    this.ended = new Promise((resolve) => { this.#process.once('exit', () => { resolve(); }); });
    this.ready = this.#answer<Ready>();
    this.#process.on('message', (answer) => { this.#waiting?.resolve(answer); });
    this.#process.once('exit', (code, signal) => {
      Child.#all.delete(this);
      this.#waiting?.reject(new Error(`${url.pathname.split('/').slice(-3).join('/')} has ended: ${signal ?? code}`));
    });
  }

  /** One question at a time. */
  ask<Answer>(question: string, given?: unknown): Promise<Answer> {
    const answer = this.#answer<Answer>();
    this.#process.send({ question, given });
    return answer;
  }

  /** Microseconds of CPU since the last call. */
  cpu(): Promise<number> { return this.ask<number>('cpu'); }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void { this.#process.kill(signal); }

  /** In order, so that a profile is written. */
  async leave(): Promise<void> {
    if (!this.#process.connected) return;
    const exit = once(this.#process, 'exit');
    this.#process.disconnect();
    await exit;
  }

  static killAll(): void { for (const child of Child.#all) child.kill(); }

  #answer<Answer>(): Promise<Answer> {
    return new Promise<unknown>((resolve, reject) => { this.#waiting = { resolve, reject }; }).finally(() => { this.#waiting = undefined; }) as Promise<Answer>;
  }
}

/** The child's side: says that it is ready, answers questions, ends with its parent. */
export function serveParent(ready: object, answers: Readonly<Record<string, (given: never) => unknown>> = {}): void {
  let last = process.cpuUsage();
  const cpu = (): number => {
    const { user, system } = process.cpuUsage(last);
    last = process.cpuUsage();
    return user + system;
  };
  const answer = async ({ question, given }: { question: string; given: never }): Promise<void> => { process.send?.((question === 'cpu' ? cpu() : await answers[question]?.(given)) ?? null); };
  process.on('message', (message: { question: string; given: never }) => { void answer(message); }); // who fails ends, and the parent is told so
  process.on('disconnect', () => { process.exit(); });
  process.send?.(ready);
}

export const inputOf = <T>(): T => JSON.parse(process.argv[2] ?? '{}') as T;
