/** What a session promises across a failover (docs/delivery.md). */
export type DeliveryMode = 'at-most-once' | 'at-least-once' | 'effectively-once';

/** The order is the number on the wire (OPEN's `mode`). */
export const deliveryModes: readonly DeliveryMode[] = ['at-most-once', 'at-least-once', 'effectively-once'];
