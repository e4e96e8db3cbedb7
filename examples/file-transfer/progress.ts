const MIB = 1024 * 1024;
const WIDTH = 40;

/** On a terminal one line that is rewritten; elsewhere a line for each tenth. */
export class ProgressBar {
  #shown = -1;
  readonly #out = process.stdout;

  show(done: number, total: number): void {
    const steps = this.#out.isTTY ? 200 : 10;
    const step = total === 0 ? steps : Math.floor((done / total) * steps);
    if (step === this.#shown) return;
    this.#shown = step;
    const part = total === 0 ? 1 : done / total;
    const text = `${String(Math.floor(part * 100)).padStart(3)} %  ${(done / MIB).toFixed(1)} of ${(total / MIB).toFixed(1)} MiB`;
    if (!this.#out.isTTY) return console.log(text);
    const bar = '#'.repeat(Math.round(part * WIDTH)).padEnd(WIDTH, '.');
    this.#out.write(`\r[${bar}] ${text}`);
  }

  /** A line of its own. */
  note(line: string): void {
    if (this.#out.isTTY) {
      this.#out.write('\r\u001b[K');
      this.#shown = -1; // drawn again below
    }
    console.log(line);
  }
}
