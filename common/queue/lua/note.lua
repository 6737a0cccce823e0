local HISTORY = 8 -- attempts whose reasons are kept

-- At most 160 bytes of one reason, UTF-8 kept whole.
local function short(text)
  if #text <= 160 then return text end
  local last = 157
  while last > 0 and string.byte(text, last + 1) >= 128 and string.byte(text, last + 1) < 192 do last = last - 1 end
  return string.sub(text, 1, last) .. '...'
end

-- Keeps the reason why an attempt ended: the last HISTORY of a task.
local function note(r, index, t, reason)
  local key = P .. 'history:' .. r.id
  local lines = {}
  for line in string.gmatch(call('HGET', key, index) or '', '[^\n]+') do lines[#lines + 1] = line end
  lines[#lines + 1] = 'attempt ' .. t.attempts .. ' on ' .. t.worker .. ': ' .. short(reason)
  while #lines > HISTORY do table.remove(lines, 1) end
  call('HSET', key, index, table.concat(lines, '\n'))
end

