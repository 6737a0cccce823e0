#!lua
-- Opens a range of a request's failed and cancelled tasks again, with fresh attempts; cells whose prepare task did not pass
-- wait for it. The range is the call's own: a token that has been here goes on where it was.
-- KEYS: 1 meta. ARGV: 1 request, 2 token, 3 how many. Returns {index to go on from, or -1, tasks opened so far}.
-- Errors: GONE, ENDING (its cancellation is under way).
--!include farm.lua
--!include task.lua
--!include leave.lua
--!include waiters.lua
local r = request(ARGV[1])
if not r then return redis.error_reply('GONE the request is not there') end
if r.state == 'P' or (r.state == 'C' and r.open > 0) then
  return redis.error_reply('ENDING the request is being ' .. (r.state == 'P' and 'written' or 'cancelled') .. ': try again')
end
local before = call('HMGET', r.key, 'rt', 'rn', 'ro')
local from, opened = 0, 0
if before[1] == ARGV[2] then from, opened = tonumber(before[2]), tonumber(before[3]) end
if from < 0 then return {-1, opened} end
if from == 0 then
  local all = waiters(r)
  for _, waiter in pairs(all) do waiter.deadline = 0 end
  if next(all) then call('HSET', r.key, 'w', waiter_lines(all)) end
end

local function reopen(index)
  local t = task(r, index)
  if not t or t.class == '' or (t.state ~= 'F' and t.state ~= 'C') then return end
  local opener
  if t.blocked_by ~= '' then
    reopen(t.blocked_by)
    opener = task(r, t.blocked_by)
  end
  t.attempts, t.kills, t.worker, t.token, t.result, t.reason, t.progress = '0', '0', '', '', '', '', ''
  call('HDEL', P .. 'history:' .. r.id, index)
  r.open, opened = r.open + 1, opened + 1
  if not opener or opener.state == 'P' or opener.state == 'U' then
    make_ready(r, index, t)
  else
    step(r, index, t, 'B')
    if not r.large then return end
    local cells = call('HGET', P .. 'blocked:' .. r.id, t.blocked_by)
    call('HSET', P .. 'blocked:' .. r.id, t.blocked_by, (cells and cells .. ',' or '') .. index)
  end
end

local last = math.min(from + tonumber(ARGV[3]), r.tasks)
load_tasks(r, from, last - 1)
for index = from, last - 1 do reopen(string.format('%d', index)) end
if r.open > 0 then
  r.state, r.deadline = 'A', 0
  call('HDEL', r.key, 'dl', 'cr')
  call('ZREM', P .. 'ended', r.id)
  call('ZREM', P .. 'deadlines', r.id)
end
local rest = last < r.tasks and last or -1
r.fields.rt, r.fields.rn, r.fields.ro, r.changed = ARGV[2], rest, opened, true
flush()
return {rest, opened}
