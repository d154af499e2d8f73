// Everything that scripts add to the pages, which are complete without them.
import { listen } from "./keyboard.ts";
import "./parts/key-help.ts";
import "./parts/point-cloud.ts";

listen(document);
