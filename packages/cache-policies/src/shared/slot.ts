/** No slot: what is answered for a key that is not there. */
export const none = 0;
