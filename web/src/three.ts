// All that is used of three, in a file of its own that is fetched when there is something to draw:
// const three = await import("../three.ts").
export {
  BufferAttribute,
  BufferGeometry,
  CanvasTexture,
  LinearSRGBColorSpace,
  OrthographicCamera,
  PerspectiveCamera,
  Points,
  PointsMaterial,
  Scene,
  Sphere,
  WebGLRenderer,
} from "three";
export { OrbitControls } from "three/addons/controls/OrbitControls.js";
