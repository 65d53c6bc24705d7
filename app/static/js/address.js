/**
 * An address of this server as seen from here. The API writes whole addresses with the public name;
 * whoever came by another name (localhost, an address in the house) needs them by that one.
 */
export function here(address) {
  if (!address) return "";
  const { pathname, search } = new URL(address, window.location.href);
  return pathname + search;
}
