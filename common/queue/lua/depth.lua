#!lua flags=no-writes
-- What waits and what runs. Costs two commands a request with ready tasks; looks at no more than ARGV[1] of those.
-- KEYS: 1 meta. ARGV: 1 most requests.
-- Returns {open tasks, running, delayed, then for each class: name, ready tasks, age of the oldest request that has one in ms}.
--!include farm.lua
--!include task.lua
local time, left = now(), tonumber(ARGV[1])
local open = tonumber(call('HGET', KEYS[1], 'open') or 0)
local answer = {open, call('ZCARD', P .. 'leases'), call('ZCARD', P .. 'delayed')}
for _, class in ipairs(call('HKEYS', P .. 'clock')) do
  local waiting, oldest = 0, time
  for _, tenant in ipairs(call('ZRANGE', P .. 'tenants:' .. class, '0', '-1')) do
    if left <= 0 then break end
    for _, id in ipairs(call('ZRANGE', P .. 'flows:' .. class .. ':' .. tenant, 0, left - 1)) do
      left = left - 1
      local r = request(id)
      local count = r and count_ready(r, class) or 0
      if count > 0 then
        waiting = waiting + count
        oldest = math.min(oldest, tonumber(r.created_at))
      end
    end
  end
  answer[#answer + 1] = class
  answer[#answer + 1] = waiting
  answer[#answer + 1] = time - oldest
end
return answer
