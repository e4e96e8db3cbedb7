/** Message ids are u32 serial numbers (RFC 1982); windows stay far below 2^31 (D-22). */

export const nextSerial = (id: number): number => (id + 1) >>> 0;

/** How far `to` lies behind `from`: positive when it is later. */
export const serialDistance = (from: number, to: number): number => (to - from) | 0;

export const isAfter = (id: number, other: number): boolean => serialDistance(other, id) > 0;
