import type { Totals } from './messages.js';

export interface View {
  readonly registrars: readonly { readonly name: string; readonly id: string; readonly state: string; readonly elements: number }[];
  readonly sessions: number;
  readonly elements: readonly { readonly name: string; readonly id: string; readonly state: string; readonly sessions: number }[];
  readonly totals: Totals;
  readonly perSecond: number;
  readonly median: number;
}

/** Shows the demo as it goes. */
export interface Display {
  event(text: string): void;
  show(view: View): void;
  end(): void;
}

export const displayFor = (output: NodeJS.WriteStream): Display => (output.isTTY ? new Screen(output) : new Lines(output));

/** Without a terminal: an event a line. */
class Lines implements Display {
  readonly #began = performance.now();
  constructor(readonly output: NodeJS.WriteStream) {}
  event(text: string): void { this.output.write(`${stamp(this.#began)} ${text}\n`); }
  show(): void { /* events say it all */ }
  end(): void { /* nothing to put back */ }
}

/** In a terminal: events scroll, below them a table that is drawn again and again. */
class Screen implements Display {
  readonly #began = performance.now();
  #lines = 0;
  #view: View | undefined;

  constructor(readonly output: NodeJS.WriteStream) { output.write('\x1b[?25l'); }

  event(text: string): void {
    this.#erase();
    this.output.write(`${stamp(this.#began)} ${text}\n`);
    this.#draw();
  }

  show(view: View): void {
    this.#view = view;
    this.#erase();
    this.#draw();
  }

  end(): void {
    this.#erase();
    this.#draw();
    this.#lines = 0;
    this.output.write('\x1b[?25h');
  }

  #erase(): void {
    if (this.#lines > 0) this.output.write(`\x1b[${this.#lines}A\x1b[J`);
    this.#lines = 0;
  }

  #draw(): void {
    if (!this.#view) return;
    const lines = table(this.#view).map((line) => line.slice(0, Math.max(20, this.output.columns - 1)));
    this.output.write(`${lines.join('\n')}\n`);
    this.#lines = lines.length;
  }
}

function table({ registrars, sessions, elements, totals, perSecond, median }: View): readonly string[] {
  const width = 24;
  return [
    '',
    ` user ${sessions} sessions, ${perSecond.toFixed(0)} replies/s`,
    ...registrars.map(({ name, id, state, elements: count }) => ` registrar ${name} ${id} ${paint(state)} home of ${count}`),
    ...elements.map(({ name, id, state, sessions: count }) =>
      ` counter   ${name} ${id} ${paint(state)} ${'#'.repeat(Math.round((count / sessions) * width)).padEnd(width, '.')} ${String(count).padStart(3)}`),
    '',
    ` failovers ${totals.failovers}   sent ${totals.sent}   answered ${totals.answered}`,
    ` lost ${totals.lost}   doubled ${totals.doubled}   median failover ${median.toFixed(0)} ms`,
    ` look-ups ${totals.lookUps}   failed ${totals.failedLookUps}   slowest ${totals.slowestLookUp.toFixed(0)} ms   (Ctrl-C ends)`,
  ];
}

const colours: Readonly<Record<string, number>> = { serving: 32, killed: 31, frozen: 36, starting: 33 };
const paint = (state: string): string => `\x1b[${colours[state] ?? 0}m${state.padEnd(8)}\x1b[0m`;
const stamp = (began: number): string => `[${((performance.now() - began) / 1_000).toFixed(1).padStart(6)} s]`;
