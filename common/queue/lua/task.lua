-- Requests and tasks in memory, and every step between task states. States: B blocked, Q ready, D delayed, R running;
-- ended: P passed, U unverified, G parity failed, F failed, C cancelled, S skipped. Requests: P planning, A active,
-- D done, C cancelled. A script loads a request, takes steps, and saves it once.
local BAND = 1099511627776  -- 2^40: distance between priorities in virtual time
local HEAD = 4294967296     -- 2^32: a returned task's lead over those never served
local WAKES = 256           -- most wake-ups kept a class
local KILLS = 3             -- a task that killed so many processes is isolated
local HISTORY = 8           -- attempts whose reasons are kept
local LETTERS = {'B', 'Q', 'D', 'R', 'P', 'U', 'G', 'F', 'C', 'S'}
local ENDED = {P = true, U = true, G = true, F = true, C = true, S = true}
local RECORD = '^(%a)\n(%d+)\n(%d+)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)\n([^\n]*)$'

local loaded = {}

-- A request as read, or as it is to be written: what save() and the steps keep account of.
local function add_request(r)
  r.counts, r.changed, r.woken, r.extra, r.was_open = r.counts or {}, {}, {}, r.extra or {}, r.open
  for _, letter in ipairs(LETTERS) do r.counts[letter] = r.counts[letter] or 0 end
  loaded[r.id] = r
  return r
end

-- The request, or nil. Loaded once a script.
local function request(id)
  if loaded[id] ~= nil then return loaded[id] or nil end
  local key = P .. 'request:' .. id
  local f = call('HMGET', key, 't', 's', 'sp', 'p', 'v', 'o', 'n', 're', 'dl', 'by', 'cr',
                 'B', 'Q', 'D', 'R', 'P', 'U', 'G', 'F', 'C', 'S')
  loaded[id] = false
  if not f[1] then return nil end
  local counts = {}
  for i, letter in ipairs(LETTERS) do counts[letter] = tonumber(f[11 + i] or 0) end
  return add_request({id = id, key = key, tenant = f[1], state = f[2], spec = f[3], priority = tonumber(f[4]),
                      version = tonumber(f[5]), open = tonumber(f[6]), tasks = tonumber(f[7]), retain = tonumber(f[8]),
                      deadline = tonumber(f[9] or 0), bytes = tonumber(f[10] or 0), why = f[11] or 'cancelled',
                      counts = counts})
end

local function decode(record)
  local t = {}
  t.state, t.version, t.attempts, t.class, t.cost, t.blocked_by, t.worker, t.token, t.result, t.reason, t.progress, t.kills =
    string.match(record, RECORD)
  return t
end

local function encode(t)
  return table.concat({t.state, t.version, t.attempts, t.class, t.cost, t.blocked_by, t.worker, t.token, t.result,
                       t.reason, t.progress, t.kills}, '\n')
end

local function task(r, index)
  local record = call('HGET', P .. 'tasks:' .. r.id, index)
  return record and decode(record) or nil
end

-- One step of one task: its record, its version, the request's counts.
local function step(r, index, t, to)
  local from = t.state
  if from then
    r.counts[from] = r.counts[from] - 1
    r.changed[from] = true
  end
  r.counts[to] = r.counts[to] + 1
  r.changed[to] = true
  if ENDED[to] then r.open = r.open - 1 end
  r.version = r.version + 1
  t.state, t.version = to, string.format('%d', r.version)
  call('HSET', P .. 'tasks:' .. r.id, index, encode(t))
  call('ZADD', P .. 'versions:' .. r.id, r.version, index)
end

local function make_ready(r, index, t, at_head)
  local score = tonumber(index)
  if at_head then score = score - HEAD end
  step(r, index, t, 'Q')
  call('ZADD', P .. 'ready:' .. t.class .. ':' .. r.id, score, index)
  r.woken[t.class] = (r.woken[t.class] or 0) + 1
end

-- Ends a task. What it blocks opens if it passed or is unverified, and else fails for the same reason.
local function finish(r, index, t, to, result, reason)
  local blocked_by = t.blocked_by
  t.result, t.reason, t.progress = result, reason, ''
  step(r, index, t, to)
  if blocked_by ~= '' or r.counts.B == 0 then return end
  local key = P .. 'blocked:' .. r.id
  local cells = call('HGET', key, index)
  if not cells then return end
  call('HDEL', key, index)
  for cell in string.gmatch(cells, '%d+') do
    local c = task(r, cell)
    if c and c.state == 'B' then
      if to == 'P' or to == 'U' then
        make_ready(r, cell, c, false)
      else
        c.reason = reason
        step(r, cell, c, 'F')
      end
    end
  end
end

local function release(token)
  call('ZREM', P .. 'leases', token)
  call('HDEL', P .. 'tokens', token)
end

-- Whether a worker that shows `token` owns the running task.
local function owns(t, token)
  return t.state == 'R' and t.token == token
end

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

-- A task that waits for its time waits no more.
local function undelay(r, index, t)
  call('ZREM', P .. 'delayed', index .. ':' .. r.id)
  call('ZREM', P .. 'elsewhere:' .. t.class, index .. ':' .. r.id)
end

-- A class that has tasks is last in turn from now on.
local function go_last(class)
  call('ZADD', P .. 'live', call('HINCRBY', KEYS[1], 'turn', 1), class)
end

local function wake(class, count)
  local entries = {}
  for i = 1, math.min(count, WAKES - call('LLEN', P .. 'wake:' .. class)) do entries[i] = '1' end
  if entries[1] then call('LPUSH', P .. 'wake:' .. class, unpack(entries)) end
end

-- A worker's task goes back: to the head of its flow, after `how.delay` ms if that is more than 0; or for `how.elsewhere`
-- ms to other workers only; or ends failed when its attempts are used up or it has killed too often. `how.class` is the
-- class from now on. The caller decides what becomes of the token in the record.
local function give_back(r, index, t, how)
  t.reason, t.progress = how.reason, ''
  note(r, index, t, how.reason)
  if how.killed then t.kills = string.format('%d', t.kills + 1) end
  if not how.counted then t.attempts = string.format('%d', t.attempts - 1) end
  if tonumber(t.kills) >= KILLS then
    finish(r, index, t, 'F', '', 'isolated after killing ' .. t.kills .. ' processes: ' .. how.reason)
  elseif how.counted and tonumber(t.attempts) >= how.max_attempts then
    finish(r, index, t, 'F', '', how.reason)
  else
    t.class = how.class or t.class
    if how.elsewhere > 0 then
      step(r, index, t, 'D')
      call('ZADD', P .. 'delayed', now() + math.max(how.delay, how.elsewhere), index .. ':' .. r.id)
      call('ZADD', P .. 'elsewhere:' .. t.class, now(), index .. ':' .. r.id)
      call('ZADD', P .. 'live', 0, '!' .. t.class)
      wake(t.class, 2)
    elseif how.delay > 0 then
      step(r, index, t, 'D')
      call('ZADD', P .. 'delayed', now() + how.delay, index .. ':' .. r.id)
    else
      make_ready(r, index, t, true)
    end
  end
end

-- Where a flow joins those of its tenant, class and priority: one task behind the first, so that whoever waits is served before all who come later.
-- Where there is none, at the time that the last one left behind.
local function flow_time(flows, tenant, class, priority)
  local band = -priority * BAND
  local first = call('ZRANGE', flows, band, string.format('(%.0f', band + BAND), 'BYSCORE', 'LIMIT', 0, 1, 'WITHSCORES')[2]
  if first then return first - band + 1 end
  return tonumber(call('HGET', tenant, 'c:' .. class .. ':' .. priority) or 0)
end

-- Puts the request's flow among its tenant's in `class`, and the tenant among those served, neither before those already
-- there, and wakes `count` workers.
local function join(r, class, count)
  local flows, tenants, tenant = P .. 'flows:' .. class .. ':' .. r.tenant, P .. 'tenants:' .. class, P .. 'tenant:' .. r.tenant
  if r.created or not call('ZSCORE', flows, r.id) then
    local own = tonumber(not r.created and call('HGET', r.key, 'vt:' .. class) or 0)
    call('ZADD', flows, math.max(flow_time(flows, tenant, class, r.priority), own) - r.priority * BAND, r.id)
  end
  if not call('ZSCORE', tenants, r.tenant) then
    local clock = call('ZRANGE', tenants, 0, 0, 'WITHSCORES')[2] or call('HGET', P .. 'clock', class)
    local own = tonumber(call('HGET', tenant, 'vt:' .. class) or 0)
    call('ZADD', tenants, math.max(tonumber(clock or 0), own), r.tenant)
    if not clock then call('HSET', P .. 'clock', class, 0) end  -- depth.lua finds the classes there
    if not call('ZSCORE', P .. 'live', class) then go_last(class) end
  end
  wake(class, count)
end

-- What the farm and the tenant's quotas count, after a request's open tasks were `was` and are `is`.
local function count_open(r, was, is)
  if was == is then return end
  call('HINCRBY', KEYS[1], 'open', is - was)
  call('HINCRBY', P .. 'tenant:' .. r.tenant, 'o', is - was)
  if r.bytes > 0 and (was == 0 or is == 0) then
    call('HINCRBY', P .. 'tenant:' .. r.tenant, 'by', is == 0 and -r.bytes or r.bytes)
  end
end

local function save(r)
  if r.open == 0 then
    if r.state == 'A' then r.state = 'D' end
    call('ZADD', P .. 'ended', now() + r.retain, r.id)
    if r.deadline > 0 then call('ZREM', P .. 'deadlines', r.id) end
  end
  count_open(r, r.was_open, r.open)
  local set = {'v', r.version, 'o', r.open, 's', r.state}
  for letter in pairs(r.changed) do
    set[#set + 1] = letter
    set[#set + 1] = r.counts[letter]
  end
  for _, value in ipairs(r.extra) do set[#set + 1] = value end
  call('HSET', r.key, unpack(set))
  if r.state == 'A' then
    for class, count in pairs(r.woken) do join(r, class, count) end
  end
  -- Nobody knows of a request that this script made.
  if not r.created then call('PUBLISH', P .. 'changes:' .. r.id, r.version) end
end

-- Takes a request's flows from those served.
local function leave(id, tenant, classes, priority)
  for class in string.gmatch(classes, '[^,]+') do
    local score = call('ZSCORE', P .. 'flows:' .. class .. ':' .. tenant, id)
    if score then
      call('HSET', P .. 'tenant:' .. tenant, 'c:' .. class .. ':' .. priority, score + priority * BAND)
      call('ZREM', P .. 'flows:' .. class .. ':' .. tenant, id)
    end
    call('UNLINK', P .. 'ready:' .. class .. ':' .. id)
  end
end

-- Who waits for a shared request, by field of its hash: {priority, deadline (0: none)}.
local function waiters(id)
  local found = {}
  local fields = call('HGETALL', P .. 'request:' .. id)
  for i = 1, #fields, 2 do
    if string.sub(fields[i], 1, 2) == 'w:' then
      local priority, deadline = string.match(fields[i + 1], '^(%S+) (%S+)$')
      found[fields[i]] = {priority = tonumber(priority), deadline = tonumber(deadline)}
    end
  end
  return found
end

-- The idempotency key stands for the request no more.
local function forget_key(id, tenant, key)
  local name = P .. 'idempotency:' .. tenant .. ':' .. key
  if key ~= '' and call('GET', name) == id then call('UNLINK', name) end
end

-- Forgets a request, and its tenant with the last one.
local function drop(id)
  local f = call('HMGET', P .. 'request:' .. id, 't', 'ik', 'cl', 'd')
  call('ZREM', P .. 'ended', id)
  call('ZREM', P .. 'unfinished', id)
  call('ZREM', P .. 'deadlines', id)
  if not f[1] then return end
  local r = request(id)
  count_open(r, r.open, 0)
  leave(id, f[1], f[3], r.priority)
  forget_key(id, f[1], f[2])
  for name in pairs(waiters(id)) do forget_key(id, f[1], string.sub(name, 3)) end
  local shared = P .. 'shared:' .. f[1] .. ':' .. f[4]
  if call('GET', shared) == id then call('UNLINK', shared) end
  call('ZREM', P .. 'requests:' .. f[1], id)
  if call('EXISTS', P .. 'requests:' .. f[1]) == 0 then call('UNLINK', P .. 'tenant:' .. f[1]) end
  call('UNLINK', P .. 'request:' .. id, P .. 'tasks:' .. id, P .. 'versions:' .. id, P .. 'blocked:' .. id,
       P .. 'history:' .. id)
  call('PUBLISH', P .. 'changes:' .. id, 0)
end
