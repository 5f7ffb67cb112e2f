import { messages, type Typed } from '@ashlar/queue';

export interface Order {
  readonly id: string;
  readonly customer: string;
  readonly cents: number;
}

// A type, as an interface is no record of topics
export type Messages = { 'order.placed': Order };

export const orderMessages: Typed<Messages> = messages<Messages>();
