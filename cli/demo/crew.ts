import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Order, Report } from './messages.js';

/** The demo's processes: started here, and none is left behind. */
export class Crew {
  readonly #members = new Set<Member>();

  constructor(readonly options: { readonly onNote: (name: string, text: string) => void; readonly onEnd: (member: Member, how: string) => void }) {
    process.on('exit', () => { this.killAll(); });
  }

  start(name: string, program: 'registrar' | 'element' | 'user', args: object): Member {
    const child = fork(fileURLToPath(new URL(`./${program}.js`, import.meta.url)), [JSON.stringify(args)], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      detached: true, // Ctrl-C at the terminal is the demo's to handle, not theirs
    });
    const member = new Member(name, child);
    this.#members.add(member);
    for (const output of [child.stdout, child.stderr]) if (output) createInterface({ input: output }).on('line', (line) => { this.options.onNote(name, line); });
    child.on('error', () => undefined); // 'exit' tells
    child.once('exit', (code, signal) => {
      this.#members.delete(member);
      member.isRunning = false;
      this.options.onEnd(member, signal ?? `exit code ${code ?? 0}`);
    });
    return member;
  }

  /** At once, and from wherever: also those that are frozen. */
  killAll(): void {
    for (const member of this.#members) member.kill('SIGKILL');
  }

  async end(): Promise<void> {
    const gone = [...this.#members].map((member) => member.gone);
    this.killAll();
    await Promise.all(gone);
  }
}

export class Member {
  isRunning = true;
  readonly gone: Promise<void>;
  readonly #child: ChildProcess;

  constructor(readonly name: string, child: ChildProcess) {
    this.#child = child;
    this.gone = new Promise((resolve) => { child.once('exit', () => { resolve(); }); });
  }

  get pid(): number { return this.#child.pid ?? 0; }

  kill(signal: NodeJS.Signals): void { this.#child.kill(signal); }

  order(order: Order): void {
    if (this.#child.connected) this.#child.send(order, () => undefined);
  }

  on(listener: (report: Report) => void): () => void {
    this.#child.on('message', listener);
    return () => { this.#child.off('message', listener); };
  }

  /** The next report of that type. Rejects when the process ends before. */
  next<T extends Report['type']>(type: T, isWanted: (report: Extract<Report, { type: T }>) => boolean = () => true): Promise<Extract<Report, { type: T }>> {
    return new Promise((resolve, reject) => {
      const off = this.on((report) => {
        if (report.type !== type || !isWanted(report as Extract<Report, { type: T }>)) return;
        off();
        resolve(report as Extract<Report, { type: T }>);
      });
      void this.gone.then(() => {
        off();
        reject(new Error(`${this.name} ended while ${type} was waited for`));
      });
    });
  }
}
