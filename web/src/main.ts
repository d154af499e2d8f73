// Everything that scripts add to the pages, which are complete without them.
import { clean } from "./address.ts";
import { listen } from "./keyboard.ts";
import "./parts/copy-text.ts";
import "./parts/item-basket.ts";
import "./parts/item-map.ts";
import "./parts/key-help.ts";
import "./parts/point-cloud.ts";

clean(window);
listen(document);
