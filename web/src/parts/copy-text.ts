import { html } from "lit";
import { Part } from "./part.ts";

/** `<copy-text>`: a button that copies the text of the `<pre>` in it. */
class CopyText extends Part {
  static override properties = { said: { state: true } };
  declare said: string;

  constructor() {
    super();
    this.said = "";
  }

  protected override render(): unknown {
    return html`<button type="button" @click=${this.copy}>Copy</button> <span role="status" class="quiet">${this.said}</span>`;
  }

  private async copy(): Promise<void> {
    const text = this.querySelector("pre")!;
    try {
      await navigator.clipboard.writeText(text.textContent ?? "");
      this.said = "Copied";
    } catch {
      getSelection()?.selectAllChildren(text); // a browser that does not let pages copy: the keys of the system do
      this.said = "Selected: copy it with the keys of your system";
    }
  }
}

customElements.define("copy-text", CopyText);
