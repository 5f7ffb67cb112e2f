/** What a request asks cannot be done with this map: its words are those of the InvalidOptionError that the caller gets. */
export class Impossible extends Error {}
