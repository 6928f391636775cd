-- Writes pictures inside the document as data URIs. Links to pictures elsewhere stay.

local letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/'
local pairs_of_letters = {}
for number = 0, 4095 do
  local first, second = number // 64 + 1, number % 64 + 1
  pairs_of_letters[number] = letters:sub(first, first) .. letters:sub(second, second)
end

local function base64(bytes)
  local pieces, last = {}, #bytes - #bytes % 3
  for at = 1, last, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    pieces[#pieces + 1] = pairs_of_letters[a * 16 + b // 16] .. pairs_of_letters[b % 16 * 256 + c]
  end
  local a, b = bytes:byte(last + 1, #bytes)
  if b then
    local number = b % 16 * 4 + 1
    pieces[#pieces + 1] = pairs_of_letters[a * 16 + b // 16] .. letters:sub(number, number) .. '='
  elseif a then
    pieces[#pieces + 1] = pairs_of_letters[a * 16] .. '=='
  end
  return table.concat(pieces)
end

local known = {}

function Image(image)
  if known[image.src] == nil then
    local kind, bytes = pandoc.mediabag.lookup(image.src)
    known[image.src] = bytes and 'data:' .. (kind or 'application/octet-stream') .. ';base64,' .. base64(bytes) or false
  end
  if known[image.src] then
    image.src = known[image.src]
    return image
  end
end
