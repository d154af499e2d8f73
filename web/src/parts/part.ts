import { LitElement } from "lit";

/** An element of the page: what it renders stands before what the server rendered in it, and page.css styles both. */
export class Part extends LitElement {
  protected override createRenderRoot(): HTMLElement {
    this.renderOptions.renderBefore = this.firstChild;
    return this;
  }
}
