#!lua
-- Creates a request, adds a batch of its tasks, opens it: one call for a small request, several for a large one, each
-- harmless when repeated. Until it is opened a request is planning and no worker sees it.
-- KEYS: 1 meta. ARGV: 1 id, 2 request digest, 3 "1" to create, 4 "1" to open, 5 tenant, 6 idempotency key or "",
-- 7 spec digest, 8 priority, 9 number of tasks, 10 retention in ms, 11 ms after which an unfinished plan is dropped,
-- 12 classes, comma-separated, 13 ms from now to its deadline (0: none), 14 bytes of its inputs, 15 its tenant's weight,
-- 16 quota of open tasks, 17 of requests a minute, 18 of bytes (0: none), 19 "join" an equal request or be joined, "fresh":
-- only be joined, or "", 20 an ended request that gives all that this one asks for, or "", 21… tasks: index \n class \n
-- cost \n index that blocks it or "".
-- Returns {id, state}: the id is an earlier request's when the idempotency key names one, or when it is joined. Errors: EXISTS (the key or id
-- stands for something else), FULL (memory), QUOTA <ms> (of its tenant), GONE (not created, or dropped meanwhile).
--!include farm.lua
--!include task.lua
--!include leave.lua
--!include waiters.lua
local FIRST = 21  -- of the tasks in ARGV
local id, digest, create, open, tenant, key = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1', ARGV[5], ARGV[6]

local share, shared = ARGV[19], P .. 'shared:' .. ARGV[5] .. ':' .. ARGV[2]

local function deadline() return ARGV[13] == '0' and 0 or now() + tonumber(ARGV[13]) end

-- Adds this caller to those who wait.
local function wait_for(all)
  all[key ~= '' and key or '#' .. id] = {priority = tonumber(ARGV[8]), deadline = deadline()}
  return all
end

-- An equal request that is under way, or that is known to have made everything.
local function equal()
  local found = share == 'join' and call('GET', shared)
  local r = found and request(found)
  if not r then return nil end
  local late = r.deadline > 0 and r.deadline <= now()
  if r.open > 0 and r.state ~= 'C' and not late then return r end
  return r.state == 'D' and found == ARGV[20] and r or nil
end

-- One request takes 60 s / quota of the tenant's time; it may be a minute ahead.
local function turn()
  local used = math.min(tonumber(call('GET', P .. 'rate:' .. tenant) or 0), now() + 60000)  -- it may be of a clock that was ahead
  return math.max(now(), used) + 60000 / tonumber(ARGV[17])
end

local function take_turn()
  if ARGV[17] ~= '0' then call('SET', P .. 'rate:' .. tenant, string.format('%d', turn()), 'PX', 120000) end
end

-- What is wrong with another request of this tenant, or nil; after "<ms> ", when to try again (0: nobody knows, -1: never).
local function over_quota(held)
  local function over(what, has, wants, most)
    if most == 0 or wants == 0 or has + wants <= most then return nil end
    local never = wants > most
    local hint = never and 'it is too large by itself: split it' or 'try again when some have ended'
    return string.format('%d tenant %s: quota of %s: %.0f at most, %.0f in use, %.0f more asked for; %s', never and -1 or 0, tenant,
                         what, most, has, wants, hint)
  end
  local refused = over('open tasks', held.open, tonumber(ARGV[9]), tonumber(ARGV[16])) or
                  over('bytes', held.bytes, tonumber(ARGV[14]), tonumber(ARGV[18]))
  if refused or ARGV[17] == '0' then return refused end
  local wait = turn() - 60000 - now()
  if wait <= 1 then return nil end
  return string.format('%d tenant %s: quota of requests a minute: %s at most; try again in %d s', math.ceil(wait), tenant,
                       ARGV[17], math.ceil(wait / 1000))
end

local r  -- the request, once it is there

if create then
  local idempotency = P .. 'idempotency:' .. tenant .. ':' .. key
  local earlier = key ~= '' and call('GET', idempotency) or id
  local found = request(earlier)
  if found then
    if found.digest ~= digest or found.tenant ~= tenant then
      return redis.error_reply('EXISTS this key was used for another request, ' .. earlier)
    end
    if earlier ~= id or found.state ~= 'P' then return {earlier, found.state} end
  else
    if earlier ~= id and call('EXISTS', P .. 'request:' .. id) == 1 then
      return redis.error_reply('EXISTS this id was used for another request, ' .. id)
    end
    local other = equal()
    if other then
      if other.open > 0 then
        agree(other, wait_for(waiters(other)))
        flush()
        if key ~= '' then call('SET', idempotency, other.id) end
      else
        call('ZADD', P .. 'ended', now() + other.retain, other.id)
      end
      return {other.id, other.state}
    end
    if call('HGET', KEYS[1], 'full') == '1' then return redis.error_reply('FULL the queue is above 80 % of its memory') end
    local quotas = call('HMGET', P .. 'tenant:' .. tenant, 'o', 'by')
    local held = {open = tonumber(quotas[1] or 0), bytes = tonumber(quotas[2] or 0)}
    local refused = over_quota(held)
    if refused then return redis.error_reply('QUOTA ' .. refused) end
    local sequence, tasks = call('HINCRBY', KEYS[1], 'sequence', '1'), tonumber(ARGV[9])
    r = add_request({id = id, tenant = tenant, state = 'P', spec = ARGV[7], priority = tonumber(ARGV[8]), version = 0,
                     open = tasks, tasks = tasks, retain = tonumber(ARGV[10]), deadline = deadline(),
                     bytes = tonumber(ARGV[14]), why = 'cancelled', created_at = now(), sequence = sequence,
                     classes = ARGV[12], digest = digest, idempotency = key, counts = {}, new = true})
    for _, letter in ipairs(LETTERS) do r.counts[letter] = 0 end
    r.fields.ab, r.fields.sp = about(r), r.spec
    call('HINCRBY', KEYS[1], 'open', tasks)
    call('HSET', P .. 'tenant:' .. tenant, 'w', ARGV[15], 'o', held.open + tasks, 'by', held.bytes + r.bytes)
    take_turn()
    if r.deadline > 0 then
      r.fields.dl = r.deadline
      call('ZADD', P .. 'deadlines', r.deadline, id)
    end
    if share ~= '' then
      r.fields.w = waiter_lines(wait_for({}))
      call('SET', shared, id)
    end
    call('ZADD', P .. 'requests:' .. tenant, sequence, id)
    if key ~= '' then call('SET', idempotency, id) end
  end
end

r = r or request(id)
if not r then return redis.error_reply('GONE the request is not there') end
if r.state ~= 'P' then return {id, r.state} end
if not open then call('ZADD', P .. 'unfinished', now() + tonumber(ARGV[11]), id) end

if not r.new then  -- those of an earlier call of the same
  local first, last = string.match(ARGV[FIRST] or '', '^%d+'), string.match(ARGV[#ARGV], '^%d+')
  if first then load_tasks(r, first, last) end
end
local waiting, blocked = {}, {}
for i = FIRST, #ARGV do
  local index, class, cost, by = string.match(ARGV[i], '^(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)$')
  if r.new or not task(r, index) then
    local t = {attempts = '0', class = class, cost = cost, blocked_by = by, worker = '', token = '', result = '', reason = '',
               progress = '', kills = '0'}
    step(r, index, t, by == '' and 'Q' or 'B')
    local group, name = by == '' and waiting or blocked, by == '' and class or by
    group[name] = group[name] or {}
    table.insert(group[name], index)
  end
end
if r.large then
  for class, indexes in pairs(waiting) do
    local scores = {}
    for _, index in ipairs(indexes) do
      scores[#scores + 1] = index
      scores[#scores + 1] = index
    end
    call('ZADD', P .. 'ready:' .. class .. ':' .. id, unpack(scores))
  end
  for by, cells in pairs(blocked) do
    local before = call('HGET', P .. 'blocked:' .. id, by)
    call('HSET', P .. 'blocked:' .. id, by, (before and before .. ',' or '') .. table.concat(cells, ','))
  end
end

if open then
  r.state, r.changed = 'A', true
  if not r.new then call('ZREM', P .. 'unfinished', id) end
  for class in string.gmatch(ARGV[12], '[^,]+') do
    local count = r.new and #(waiting[class] or {}) or count_ready(r, class)
    if count > 0 then r.woken[class] = count end
  end
end
flush()
return {id, r.state}
