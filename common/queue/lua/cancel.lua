#!lua flags=allow-oom
-- Cancels a request: the first call stops it as a whole (no lease, no commit), and each call marks a range of its tasks,
-- taking their tokens in the same step.
-- KEYS: 1 meta. ARGV: 1 request, 2 first index, 3 how many, 4 ms after which maintenance goes on for a lost caller, 5 the
-- idempotency key of one who waits no more, or "": nobody does.
-- The reason is `cr` of the request when maintenance set it (its deadline has passed), else "cancelled".
-- Returns the index to go on from, -1 when all is done, or -2: it goes on for others who wait for it. Error: GONE.
--!include farm.lua
--!include task.lua
--!include waiters.lua
local from, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local r = request(ARGV[1])
if not r then return redis.error_reply('GONE the request is not there') end
if r.open == 0 then return -1 end

if ARGV[5] ~= '' and from == 0 and r.state ~= 'C' then
  local own, all, others = 'w:' .. ARGV[5], waiters(r.id), false
  for name in pairs(all) do others = others or name ~= own end
  if others then
    if all[own] then
      call('HDEL', r.key, own)
      forget_key(r.id, r.tenant, ARGV[5])
      agree(r)
    end
    return -2
  end
end

if r.state ~= 'C' then
  leave(r.id, r.tenant, call('HGET', r.key, 'cl'), r.priority)
  call('UNLINK', P .. 'blocked:' .. r.id)
  r.state = 'C'
end

local last = math.min(from + count, r.tasks) - 1
local indexes = {}
for i = from, last do indexes[#indexes + 1] = string.format('%d', i) end
local records = #indexes > 0 and call('HMGET', P .. 'tasks:' .. r.id, unpack(indexes)) or {}
for i, index in ipairs(indexes) do
  -- A task that was never written (the plan was cut short) ends as well.
  local t = records[i] and decode(records[i]) or {attempts = '0', class = '', cost = '', blocked_by = '', worker = '', token = '',
                                               result = '', kills = '0'}
  if not ENDED[t.state] then
    if t.state == 'R' then release(t.token) end
    if t.state == 'D' then undelay(r, index, t) end
    t.token, t.reason, t.progress = '', r.why, ''
    step(r, index, t, 'C')
  end
end

local more = last + 1 < r.tasks
if more then
  call('ZADD', P .. 'unfinished', now() + tonumber(ARGV[4]), r.id)
else
  call('ZREM', P .. 'unfinished', r.id)
end
save(r)
if from == 0 then call('PUBLISH', P .. 'cancelled', r.id) end
return more and last + 1 or -1
