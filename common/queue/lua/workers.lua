local known

-- The classes that workers offer which have been heard of within a lease: a set. Looked up once a script.
local function offers(lease)
  if known then return known end
  known = {}
  local seen = call('ZRANGE', P .. 'seen', now() - lease, '+inf', 'BYSCORE', 'LIMIT', '0', 4000)
  local records = seen[1] and call('HMGET', P .. 'workers', unpack(seen)) or {}
  for _, record in ipairs(records) do
    local classes = record and string.match(record, '^' .. string.rep('[^\n]*\n', 5) .. '([^\n]*)')
    for class in string.gmatch(classes or '', '[^,]+') do known[class] = true end
  end
  return known
end
