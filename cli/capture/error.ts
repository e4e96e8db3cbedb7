import { RserpoolError } from '../../errors.js';

/** A capture file that is none, or is broken; what came before the fault has been read. */
export class CaptureError extends RserpoolError {
  readonly code = 'INVALID_CAPTURE';
  constructor(readonly offset: number, reason: string) {
    super(`${reason} (at byte ${offset} of the file)`);
  }
}
