/** The API's own documentation, by Swagger UI, in the colours that the page has. */

import { $ } from "./dom.js";
import { onTheme, startTheme } from "./theme.js";

onTheme((theme) => document.documentElement.classList.toggle("dark-mode", theme === "dark"));
startTheme($("theme"));
window.SwaggerUIBundle({ url: "/openapi.json", dom_id: "#docs", deepLinking: true });
