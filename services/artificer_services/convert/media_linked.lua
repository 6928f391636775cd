-- Replaces pictures that the document only links to by their descriptions.

traverse = 'topdown' -- figures before the pictures in them

local function is_linked(image)
  return image.src:sub(1, 5) ~= 'data:' and not pandoc.mediabag.lookup(image.src)
end

function Figure(figure)
  local block = figure.content[1]
  local image = #figure.content == 1 and block.content and #block.content == 1 and block.content[1]
  if image and image.t == 'Image' and is_linked(image) and #figure.caption.long > 0 then
    return figure.caption.long
  end
end

function Image(image)
  if is_linked(image) then
    return image.caption
  end
end
