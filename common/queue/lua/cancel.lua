#!lua flags=allow-oom
-- Cancels a request: the first call stops it as a whole (no lease, no commit), and each call marks a range of its tasks,
-- taking their tokens in the same step.
-- KEYS: 1 meta. ARGV: 1 request, 2 first index, 3 how many, 4 ms after which maintenance goes on for a lost caller, 5 the
-- idempotency key of one who waits no more, or "": nobody does.
-- The reason is `cr` of the request when maintenance set it (its deadline has passed), else "cancelled".
-- Returns the index to go on from, -1 when all is done, or -2: it goes on for others who wait for it. Error: GONE.
--!include farm.lua
--!include task.lua
--!include leave.lua
--!include waiters.lua
local from, count = tonumber(ARGV[2]), tonumber(ARGV[3])
local r = request(ARGV[1])
if not r then return redis.error_reply('GONE the request is not there') end
if r.open == 0 then return -1 end

if ARGV[5] ~= '' and from == 0 and r.state ~= 'C' then
  local all, others = waiters(r), false
  for name in pairs(all) do others = others or name ~= ARGV[5] end
  if others then
    if all[ARGV[5]] then
      all[ARGV[5]] = nil
      forget_key(r, ARGV[5])
      agree(r, all)
      flush()
    end
    return -2
  end
end

if r.state ~= 'C' then
  leave(r)
  call('UNLINK', P .. 'blocked:' .. r.id)
  r.state, r.changed = 'C', true
end

local last = math.min(from + count, r.tasks) - 1
load_tasks(r, from, last)
for i = from, last do
  local index = string.format('%d', i)
  -- A task that was never written (the plan was cut short) ends as well.
  local t = task(r, index) or {attempts = '0', class = '', cost = '', blocked_by = '', worker = '', token = '', result = '',
                               kills = '0'}
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
flush()
if from == 0 then call('PUBLISH', P .. 'cancelled', r.id) end
return more and last + 1 or -1
