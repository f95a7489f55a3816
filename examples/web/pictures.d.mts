/** The address of a drawing in this page for an address of the demo shop; any other address as it is. */
export function here(url: string): string;
