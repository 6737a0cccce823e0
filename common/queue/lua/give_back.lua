local KILLS = 3 -- a task that killed so many processes is isolated

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
      make_ready(r, index, t)
    end
  end
end

