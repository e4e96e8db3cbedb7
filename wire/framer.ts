/** How a stream is cut into frames: the length of a frame, read from its first `headerLength` bytes. */
export interface Framing {
  readonly headerLength: number;
  /** Bytes to the end of the frame that starts at `offset`, padding included; at least `headerLength`.
   *  @throws WireError when the header cannot be one, or announces more than the limit. */
  frameLength(bytes: Uint8Array, offset: number): number;
}
