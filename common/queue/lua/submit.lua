#!lua
-- Creates a request, adds a batch of its tasks, opens it: one call for a small request, several for a large one, each
-- harmless when repeated. Until it is opened a request is planning and no worker sees it.
-- KEYS: 1 meta. ARGV: 1 id, 2 request digest, 3 "1" to create, 4 "1" to open, 5 tenant, 6 idempotency key or "",
-- 7 spec digest, 8 priority, 9 number of tasks, 10 retention in ms, 11 ms after which an unfinished plan is dropped,
-- 12 classes, comma-separated, 13… tasks: index \n class \n cost \n index that blocks it or "".
-- Returns {id, state}: the id is an earlier request's when the idempotency key names one. Errors: EXISTS (the key or id
-- stands for something else), FULL (memory), GONE (not created, or dropped meanwhile).
--!include farm.lua
--!include task.lua
local id, digest, create, open, tenant, key = ARGV[1], ARGV[2], ARGV[3] == '1', ARGV[4] == '1', ARGV[5], ARGV[6]

if create then
  local idempotency = P .. 'idempotency:' .. tenant .. ':' .. key
  local earlier = key ~= '' and call('GET', idempotency) or id
  local found = call('HMGET', P .. 'request:' .. earlier, 'd', 's', 't')
  if found[1] then
    if found[1] ~= digest or found[3] ~= tenant then
      return redis.error_reply('EXISTS this key was used for another request, ' .. earlier)
    end
    if earlier ~= id or found[2] ~= 'P' then return {earlier, found[2]} end
  else
    if earlier ~= id and call('EXISTS', P .. 'request:' .. id) == 1 then
      return redis.error_reply('EXISTS this id was used for another request, ' .. id)
    end
    if call('HGET', KEYS[1], 'full') == '1' then return redis.error_reply('FULL the queue is above 80 % of its memory') end
    local sequence = call('HINCRBY', KEYS[1], 'sequence', 1)
    call('HSET', P .. 'request:' .. id, 't', tenant, 's', 'P', 'sp', ARGV[7], 'p', ARGV[8], 'v', 0, 'o', ARGV[9],
         'n', ARGV[9], 're', ARGV[10], 'd', digest, 'ik', key, 'cl', ARGV[12], 'q', sequence, 'c', now())
    call('ZADD', P .. 'requests:' .. tenant, sequence, id)
    if key ~= '' then call('SET', idempotency, id) end
  end
end

local r = request(id)
if not r then return redis.error_reply('GONE the request is not there') end
if r.state ~= 'P' then return {id, r.state} end
if not open then call('ZADD', P .. 'unfinished', now() + tonumber(ARGV[11]), id) end

local records, versions, ready, blocked = {}, {}, {}, {}
local known = {}
if #ARGV > 12 and call('EXISTS', P .. 'tasks:' .. id) == 1 then
  local indexes = {}
  for i = 13, #ARGV do indexes[#indexes + 1] = string.match(ARGV[i], '^%d+') end
  known = call('HMGET', P .. 'tasks:' .. id, unpack(indexes))
end
for i = 13, #ARGV do
  if not known[i - 12] then
    local index, class, cost, by = string.match(ARGV[i], '^(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)$')
    local state = by == '' and 'Q' or 'B'
    r.version = r.version + 1
    r.counts[state] = r.counts[state] + 1
    r.changed[state] = true
    records[#records + 1] = index
    records[#records + 1] = encode({state = state, version = string.format('%d', r.version), attempts = '0',
      class = class, cost = cost, blocked_by = by, worker = '', token = '', result = '', reason = '', progress = ''})
    versions[#versions + 1] = r.version
    versions[#versions + 1] = index
    if by == '' then
      ready[class] = ready[class] or {}
      table.insert(ready[class], index)
      table.insert(ready[class], index)
    else
      blocked[by] = blocked[by] or {}
      table.insert(blocked[by], index)
    end
  end
end
if #records > 0 then
  call('HSET', P .. 'tasks:' .. id, unpack(records))
  call('ZADD', P .. 'versions:' .. id, unpack(versions))
end
for class, scores in pairs(ready) do call('ZADD', P .. 'ready:' .. class .. ':' .. r.flow, unpack(scores)) end
for by, cells in pairs(blocked) do
  local before = call('HGET', P .. 'blocked:' .. id, by)
  call('HSET', P .. 'blocked:' .. id, by, (before and before .. ',' or '') .. table.concat(cells, ','))
end

if open then
  r.state = 'A'
  call('ZREM', P .. 'unfinished', id)
  for class in string.gmatch(ARGV[12], '[^,]+') do
    local count = call('ZCARD', P .. 'ready:' .. class .. ':' .. r.flow)
    if count > 0 then r.woken[class] = count end
  end
end
save(r)
return {id, r.state}
