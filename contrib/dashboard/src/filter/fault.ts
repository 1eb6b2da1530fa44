/** What is wrong with a text, and at which of its characters, from 1. */
export interface Fault {
  message: string;
  column: number | undefined;
}

/** The server counts bytes of UTF-8, from 1. */
export function faultAt(text: string, column: unknown, message: string): Fault {
  if (typeof column !== 'number') return { message, column: undefined };
  const before = new TextEncoder().encode(text).subarray(0, Math.max(0, column - 1));
  return { message, column: new TextDecoder().decode(before).length + 1 };
}
