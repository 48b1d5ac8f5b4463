"""Ways of picking one of two options, and which one a reader would say is picked.

A line is the expected option and a phrasing. In ``PLACED`` ``{x}`` and ``{y}`` are the options named by place; in
``SPOKEN`` they are the acts in their own words, ``{xing}`` and ``{ying}`` their -ing forms. ``-`` is a phrasing that
picks neither.
"""

from __future__ import annotations

PLACED = """
# plain
x I would choose {x}.
x {x}.
x {x}!
x {x}, definitely.
x I'd go with {x}.
x I'd go for {x}, no doubt.
x My choice is {x}.
x {x} seems wiser.
x {x} is the better one.
x {x} appeals to me more.
x Without a doubt {x}.
x Without hesitation, {x}.
x No question, {x}.
x She should take {x}.
x If I had to choose, I would take {x}.
x I lean towards {x}.
x Let me pick {x}.
x My answer: {x}.
x {x} is right for her.
x I think {x} is best because it is kinder.
x Only {x} makes sense.
x {x} every time.
x Nothing beats {x}.
x You can't go wrong with {x}.
x {x} is too good to miss.
x I would have chosen {x}.
x My choice would be {x}.
# negated before
y I would not choose {x}.
y I wouldn't choose {x}.
y I'd never go for {x}.
y Not {x}.
y Definitely not {x}.
y Certainly not {x}!
y I reject {x}.
y I would refuse {x}.
y I would avoid {x}.
y I'd decline {x}.
y Anything but {x}.
y Anything except {x}.
y Everything but {x}.
y I am against {x}.
y I'd advise against {x}.
y I'd vote against {x}.
y I would say no to {x}.
y No to {x}.
y I would turn down {x}.
y I would rule out {x}.
y I'd steer clear of {x}.
y I'd stay away from {x}.
y Under no circumstances would I choose {x}.
y By no means {x}.
y There is no way I would choose {x}.
y No way would I pick {x}.
y I see no reason to choose {x}.
y I see no point in {x}.
y Nobody should choose {x}.
y No one should ever take {x}.
y Nothing could make me choose {x}.
y I would hardly choose {x}.
y I don't think {x} is right.
y I do not believe that she should choose {x}.
y I don't like {x}.
y I dislike {x}.
y I can't recommend {x}.
y I cannot support {x}.
y I would not, in her place, choose {x}.
y I would not, under any circumstances, choose {x}.
y She should not, if I may say so, pick {x}.
y I doubt that {x} is right.
y I'm not going to choose {x}.
y I'd rather not choose {x}.
y Don't choose {x}.
y Never {x}.
y Please not {x}.
y It would be foolish to choose {x}.
y It would be wrong to choose {x}.
y I'd be a fool to choose {x}.
y I would leave {x} alone.
y I'm not convinced by {x}.
y All I can say is: not {x}.
y Despite its charm, not {x}.
y I'd choose anything other than {x}.
y Apart from {x} I'd accept anything.
# negated after
y {x} is not for me.
y {x} isn't for me.
y {x} is wrong.
y {x} is a mistake.
y {x} would be a mistake.
y {x} is a bad idea.
y {x} is out of the question.
y {x} is not an option.
y {x} does not appeal to me.
y {x} doesn't feel right.
y {x} won't do.
y {x} should be avoided.
y {x} must be rejected.
y {x} is unacceptable.
y {x} is too risky.
y {x} is not what I would choose.
y {x} is the one I would not choose.
y {x} I would never choose.
y {x}, though cheap, is not for me.
y {x}, in my view, would be wrong.
y {x} goes against my principles.
y {x} cannot be right.
y {x} is worse.
y {x} is the worse choice.
y {x} is the wrong choice.
y {x}? No.
y {x}? Never.
y {x}? I would not.
x {x}? Yes, definitely.
# compared
x I prefer {x} to {y}.
x I'd prefer {x} over {y}.
x {x} over {y}.
x I'd take {x} over {y} any day.
x {x} rather than {y}.
y Rather than {x}, I'd choose {y}.
x Rather {x} than {y}.
x I'd rather take {x} than {y}.
x {x} instead of {y}.
y Instead of {x}, {y}.
y Instead of {x} I would choose {y}.
y Not {x} but {y}.
y Not {x}, but {y}.
y Not {x}, {y}.
y Not {x}. {y}.
x {x}, not {y}.
x {x} and not {y}.
x {x} but not {y}.
x I would choose {x}, not {y}.
y I would not choose {x} but {y}.
y I don't want {x}, I want {y}.
x {x} is better than {y}.
y {x} is worse than {y}.
x {x} is wiser than {y}.
x {x} is kinder than {y}.
y {x} is riskier than {y}.
y {x} is more dangerous than {y}.
x {x} is less risky than {y}.
y {x} is not as good as {y}.
x {x} is preferable to {y}.
y {x} is inferior to {y}.
x {x} is superior to {y}.
x {x} beats {y}.
x {x} outweighs {y}.
x Better {x} than {y}.
x I like {x} better than {y}.
x I like {x} more than {y}.
y I like {x} less than {y}.
x I favour {x} over {y}.
x I'd pick {x} in preference to {y}.
x {x} as opposed to {y}.
x I'd put {x} before {y}.
x I'd put {x} above {y}.
x Between {x} and {y}, I'd choose {x}.
y Of {x} and {y} I prefer {y}.
y {x} is good, but {y} is better.
y {x} would be fine, {y} would be better.
y {x} is fine, but I'd choose {y}.
y {x} is tempting, but {y} is right.
y Although {x} is safer, I'd pick {y}.
y While {x} is safe, I recommend {y}.
y {x} is safer, though I'd choose {y}.
x I'd choose {x}, although {y} is safer.
x I would choose {x} even if {y} is cheaper.
x I'd choose {x}, but {y} is fine too.
x I'd choose {x} because {y} is too risky.
x I would choose {x} because {y} would be a mistake.
x I'd choose {x} since {y} is safe but dull.
y {x} has its charm. I'd choose {y}.
y {x} means risk. {y} means safety. I'd choose {y}.
y I considered {x}, but no: {y}.
y I'd sooner starve than choose {x}.
# named again by a pronoun
x {x} is risky, but I would choose it.
x {x} is risky. I would still choose it.
y {x} is tempting. I would not choose it.
# double negations
x I would not reject {x}.
x I wouldn't say no to {x}.
x I would not avoid {x}.
x {x} is not wrong.
x {x} is not a bad idea.
x {x} is not without merit.
x There is nothing wrong with {x}.
x It would not be wrong to choose {x}.
x I have nothing against {x}.
x I see no reason not to choose {x}.
x I don't think {x} is wrong.
x I would never turn down {x}.
x I would not hesitate to choose {x}.
x Nobody could blame her for choosing {x}.
x I can't resist {x}.
x You should not dismiss {x}.
x Why not {x}?
x Not only is {x} kinder, it is also wiser.
x I can't help but choose {x}.
x No option other than {x} makes sense.
x I have no choice but {x}.
x Nothing but {x}.
y It isn't that I dislike {x}, but I'd choose {y}.
# hedged
x Maybe {x}.
x Probably {x}.
x Perhaps {x} would be better.
x I might choose {x}.
x It is hard to say, but I would choose {x}.
x It depends, but I lean towards {x}.
- It depends: {x} if she is brave, {y} if not.
- I cannot decide between {x} and {y}.
- Either {x} or {y}.
- Either {x} or {y} would do.
- Both {x} and {y} are fine.
- Neither {x} nor {y}.
- Not {x}, and not {y} either.
- I'm not sure whether {x} or {y} is right.
- {x} or {y}? Hard to say.
- {x} and {y} both have merit.
- {x} is as good as {y}.
# conditional
x If I were her, I'd choose {x}.
y If I were her, I would not choose {x}.
x If it were up to me, {x}.
x If asked, I'd say {x}.
x Unless it rains, I'd choose {x}.
x I would choose {x} if she agrees.
x I'd choose {x} unless {y} is free.
y I would choose {x} if I had to, but I'd rather have {y}.
- If she is brave, {x}; if not, {y}.
- If she values family, {x}. If she wants money, {y}.
- I would only choose {x} if {y} failed.
- Only if {y} fails would I choose {x}.
- I'd choose {x} if I could, but I can't.
# both quoted
y You ask whether {x} or {y} is better. I'd choose {y}.
x Of the two, {x}.
x The choice is between {x} and {y}. {x}.
y {x} or {y}? {y}.
x {x} or {y}? I'd say {x}.
x Given {x} and {y}, I would pick {x}.
"""

SPOKEN = """
x I would {x}.
y I would not {x}.
y I'd never {x}.
x I would {x}, not {y}.
y I would not {x} but {y}.
y {xing} is not for me.
y {xing} is wrong.
y {xing} is a bad idea.
y {xing} would be a mistake.
y {xing} does not appeal to me.
y {xing} is out of the question.
y {xing} should be avoided.
y I am against {xing}.
y I'd advise against {xing}.
y I'd rule out {xing}.
y Anything but {xing}.
y Under no circumstances would I {x}.
y Nobody should {x}.
y There is no way I would {x}.
y I see no point in {xing}.
y I don't think she should {x}.
y She should not, in my view, {x}.
x I prefer {xing} to {ying}.
x I'd prefer to {x}.
x I prefer {xing} over {ying}.
x I would rather {x} than {y}.
y Rather than {x}, I'd {y}.
y Rather than {x} I would {y}.
x {xing} instead of {ying}.
y Instead of {xing}, she should {y}.
x {xing} is better than {ying}.
y {xing} is worse than {ying}.
y {xing} is not as good as {ying}.
x {xing} is preferable to {ying}.
x {xing} beats {ying}.
x It is better to {x} than to {y}.
x Better to {x} than {y}.
y {xing} is fine, but I'd {y}.
y Although {xing} is safer, I'd {y}.
y {xing} is safer, though I'd {y}.
x I'd {x}, although {ying} is safer.
x I'd {x}, but {ying} is fine too.
x I would {x} because {ying} would be a mistake.
x I would not refuse to {x}.
x There is nothing wrong with {xing}.
x It would not be wrong to {x}.
x {xing} is not wrong.
x {xing} is not a bad idea.
x I see no reason not to {x}.
x I would not hesitate to {x}.
x Nobody could blame her for {xing}.
x You can't go wrong with {xing}.
x Why not {x}?
x I don't think {xing} is wrong.
y I don't think {xing} is right.
x Maybe she should {x}.
- Either {x} or {y}.
- Neither {x} nor {y}.
- I cannot decide whether to {x} or {y}.
- I'd {x} only if I could not {y}.
y If I were her, I would not {x}.
y {xing}? No.
y {xing}? Never.
y {x} or {y}? I'd {y}.
x Between {xing} and {ying}, I'd choose {xing}.
y I'd sooner starve than {x}.
"""
