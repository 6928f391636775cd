-- Replaces pictures inside the document by their descriptions. Links to pictures elsewhere stay.

function Image(image)
  if pandoc.mediabag.lookup(image.src) or image.src:sub(1, 5) == 'data:' then
    return image.caption
  end
end
