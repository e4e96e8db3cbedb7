import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';

/** Lines of one stream, and who waits for one. */
export class Lines {
  readonly all: string[] = [];
  #cursor = 0;
  #look: () => void = () => undefined;
  #ended: (() => Error) | undefined;

  read(input: Readable): void {
    createInterface({ input }).on('line', (line) => {
      this.all.push(line);
      this.#look();
    });
  }

  end(error: () => Error): void {
    this.#ended = error;
    this.#look();
  }

  /** The next line that matches, behind the one that was found last. Rejects when the stream ends before. */
  next(pattern: RegExp): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      this.#look = () => {
        while (this.#cursor < this.all.length) {
          const match = pattern.exec(this.all[this.#cursor++]!);
          if (match) {
            this.#look = () => undefined;
            return resolve(match);
          }
        }
        if (this.#ended) reject(this.#ended());
      };
      this.#look();
    });
  }
}
