/** What a session promises across a failover (docs/delivery.md). Draft §3.3 and RFC 5352 §6.5.5 say only that unsent data is sent elsewhere: what was
 *  acknowledged and not read would be lost, what was handled and not acknowledged be doubled. */
export type DeliveryMode = 'at-most-once' | 'at-least-once' | 'effectively-once';

/** The order is the number on the wire (OPEN's `mode`). */
export const deliveryModes: readonly DeliveryMode[] = ['at-most-once', 'at-least-once', 'effectively-once'];
