#!lua flags=no-writes
-- What waits and what runs. Costs a command or three for each request with ready tasks; looks at no more than ARGV[1] of those.
-- KEYS: 1 meta. ARGV: 1 most requests.
-- Returns {open tasks, running, delayed, then for each class: name, ready tasks, age of the oldest request that has one in ms}.
--!include farm.lua
--!include task.lua

-- A request's ready tasks of the class and when it was created; of most requests, whose tasks are of one class, without all that is kept of it.
local function look(id, class)
  local f = call('HMGET', P .. 'request:' .. id, 'st', 'ab')
  if not f[1] then return 0, 0 end
  local created, classes = string.match(f[2], '^[^\n]*\n%d+\n%d+\n(%d+)\n%d+\n%d+\n([^\n]*)')
  local count = classes == class and string.match(f[1], '^%a %S+ %d+ %d+ %d+ (%d+)') or count_ready(request(id), class)
  return tonumber(count), tonumber(created)
end

local time, left = now(), tonumber(ARGV[1])
local open = tonumber(call('HGET', KEYS[1], 'open') or 0)
local answer = {open, call('ZCARD', P .. 'leases'), call('ZCARD', P .. 'delayed')}
for _, class in ipairs(call('HKEYS', P .. 'clock')) do
  local waiting, oldest = 0, time
  for _, tenant in ipairs(call('ZRANGE', P .. 'tenants:' .. class, '0', '-1')) do
    if left <= 0 then break end
    for _, id in ipairs(call('ZRANGE', P .. 'flows:' .. class .. ':' .. tenant, 0, left - 1)) do
      left = left - 1
      local count, created = look(id, class)
      if count > 0 then
        waiting = waiting + count
        oldest = math.min(oldest, created)
      end
    end
  end
  answer[#answer + 1] = class
  answer[#answer + 1] = waiting
  answer[#answer + 1] = time - oldest
end
return answer
