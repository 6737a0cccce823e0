#!lua flags=allow-oom
-- Maintenance, by every coordinator twice a second: returns expired leases, promotes delayed tasks, drops requests whose
-- plan was never finished or whose retention is over, forgets workers not seen for 40 leases.
-- Grace: after a restart of Redis, a failover, or a time in which nobody called this, live workers look dead. All leases
-- then first get one lease from now; those too that the clock of an earlier server let end later.
-- KEYS: 1 meta. ARGV: 1 the server's run id, 2 lease in ms, 3 most attempts, 4 used memory, 5 memory limit (0: none),
-- 6 how many of each at most.
-- Returns {tasks moved, "1" if more is due, {request, index, worker… of leases that were lost}, requests to cancel: theirs was cut short, or their deadline has passed…}.
--!include farm.lua
--!include task.lua
--!include note.lua
--!include give_back.lua
--!include leave.lua
--!include waiters.lua
--!include drop.lua
--!include workers.lua
local lease, max_attempts, limit = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[6])
local used, most = tonumber(ARGV[4]), tonumber(ARGV[5])
local time = now()

local before = call('HMGET', KEYS[1], 'run_id', 'seen')
local gap = time - tonumber(before[2] or 0)
if before[1] ~= ARGV[1] or gap > lease / 3 or gap < 0 then
  local held = call('ZRANGE', P .. 'leases', '0', '-1')
  for _, token in ipairs(held) do call('ZADD', P .. 'leases', time + lease, token) end
  if gap < 0 then  -- the clock went back: what is delayed keeps the pause that it had left
    local delayed = call('ZRANGE', P .. 'delayed', '0', '-1', 'WITHSCORES')
    for i = 1, #delayed, 2 do call('ZADD', P .. 'delayed', delayed[i + 1] + gap, delayed[i]) end
  end
end
call('HSET', KEYS[1], 'run_id', ARGV[1], 'seen', time, 'full', (most > 0 and used > 0.8 * most) and '1' or '0')

local function due(key) return call('ZRANGE', key, '-inf', time, 'BYSCORE', 'LIMIT', '0', limit) end
local moved, lost = 0, {}

local expired = due(P .. 'leases')
for _, token in ipairs(expired) do
  local index, id = string.match(call('HGET', P .. 'tokens', token) or '', '^(%d+):(.*)$')
  local r = id and request(id, index)
  local t = r and task(r, index)
  release(token)
  if t and owns(t, token) then
    t.token = ''
    if r.state == 'C' then
      t.reason = r.why
      step(r, index, t, 'C')
    else
      give_back(r, index, t, {delay = 0, counted = true, max_attempts = max_attempts, elsewhere = 0,
                              reason = 'worker ' .. t.worker .. ' lost its lease'})
      for _, value in ipairs({id, index, t.worker}) do lost[#lost + 1] = value end
    end
    moved = moved + 1
  end
end

local promoted = due(P .. 'delayed')
for _, member in ipairs(promoted) do
  local index, id = string.match(member, '^(%d+):(.*)$')
  local r = request(id, index)
  local t = r and task(r, index)
  call('ZREM', P .. 'delayed', member)
  if t then undelay(r, index, t) end
  if t and t.state == 'D' and r.state == 'A' then
    make_ready(r, index, t)
    moved = moved + 1
  end
end
flush()

local ended = due(P .. 'ended')
for _, id in ipairs(ended) do drop(id) end

local answer = {moved, (#expired == limit or #promoted == limit or #ended == limit) and '1' or '0', lost}
for _, id in ipairs(due(P .. 'unfinished')) do
  local r = request(id)
  if r and r.state == 'C' then
    answer[#answer + 1] = id
  else
    drop(id)
  end
end

-- "; no worker offers litert: 3 tasks waited", or "".
local function unserved(r)
  local words = {}
  for class in string.gmatch(r.classes, '[^,]+') do
    local count = count_ready(r, class)
    if count > 0 and not offers(lease)[class] then
      words[#words + 1] = string.format('%s: %d task%s waited', class, count, count == 1 and '' or 's')
    end
  end
  return words[1] and '; no worker offers ' .. table.concat(words, ', ') or ''
end

-- It stays due until the cancellation is whole, whoever sees to that.
for _, id in ipairs(due(P .. 'deadlines')) do
  local r = request(id)
  if not r or r.open == 0 then
    call('ZREM', P .. 'deadlines', id)
  elseif r.state ~= 'P' then
    if r.state == 'A' then
      local asked = r.deadline - r.created_at
      call('HSET', r.key, 'cr', string.format('cancelled: not finished within its timeout of %g s%s', asked / 1000,
                                               unserved(r)))
    end
    answer[#answer + 1] = id
  end
end

for _, worker in ipairs(call('ZRANGE', P .. 'seen', '-inf', time - 40 * lease, 'BYSCORE', 'LIMIT', '0', limit)) do
  call('HDEL', P .. 'workers', worker)
  call('ZREM', P .. 'seen', worker)
end
return answer
