/** An address without the token: it is what the address bar keeps, so that nobody passes the token on with it. */
export function withoutToken(address: string): string {
  const found = new URL(address);
  found.searchParams.delete("token");
  return found.href;
}

/** Take the token out of the address bar; the cookie opens the pages from here on. */
export function clean(page: Window): void {
  const { href } = page.location;
  if (new URL(href).searchParams.has("token")) page.history.replaceState(page.history.state, "", withoutToken(href));
}
