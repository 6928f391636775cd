"""The page of /docs: Swagger UI, set up so that its forms begin empty.

It knows no route; where the page's files are served is passed in.
"""

from __future__ import annotations

from html import escape
from string import Template

import orjson

SCRIPT, STYLE, ICON = "swagger-ui-bundle.js", "swagger-ui.css", "favicon.png"

# Swagger UI fills each input of a form with a sample of its schema, and sends it: "string" as a password, and the least
# integer. It asks for such a sample without a media type, and for that of a whole body with one. It also checks "Send
# empty value" at each input, and an empty text is neither a number nor a boolean.
_PAGE = Template("""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1.0">
<link rel="stylesheet" href="$assets/swagger-ui.css">
<link rel="icon" href="$assets/favicon.png">
<title>$title</title>
</head>
<body>
<div id="swagger-ui"></div>
<script src="$assets/swagger-ui-bundle.js"></script>
<script>
const emptyForms = () => ({
  afterLoad() {
    const sample = this.fn.getSampleSchema;
    this.fn.getSampleSchema = (schema, mediaType, ...rest) =>
      mediaType ? sample(schema, mediaType, ...rest) : schema.get?.("type") === "array" ? [] : "";
  },
  wrapComponents: {
    ParameterIncludeEmpty: (Original, system) => (props) =>
      system.React.createElement(Original, {
        ...props, isIncludedOptions: {...props.isIncludedOptions, defaultValue: false},
      }),
  },
});
SwaggerUIBundle({
  url: $document,
  dom_id: "#swagger-ui",
  deepLinking: true,
  showExtensions: true,
  showCommonExtensions: true,
  presets: [SwaggerUIBundle.presets.apis, SwaggerUIBundle.SwaggerUIStandalonePreset],
  plugins: [emptyForms],
});
</script>
</body>
</html>
""")


def page(*, document: str, assets: str, title: str) -> str:
    """Returns the page that shows the OpenAPI document at the path `document`, with files from the path `assets`."""
    # Within a script, "<" could end it.
    url = orjson.dumps(document).decode().replace("<", "\\u003c")
    return _PAGE.substitute(document=url, assets=escape(assets), title=escape(title))
