"""Words that nearly every text of a language has, so that they say nothing about which one is meant.

A query does without them if it has others: ranking every chunk that has "the" takes long, and PostgreSQL's rank does
not weigh rare words more. They are as `words.plain` makes them, without accents.
"""

from __future__ import annotations

from collections.abc import Collection

_WORDS = {
    "en": "a an and are as at be been but by can could did do does for from had has have he her his how i if in "
    "into is it its me my no not of on or our she should so than that the their them then there these they "
    "this those to was we were what when where which who whom why will with would you your",
    "de": "aber als am an auch auf aus bei bin bis bist da das dass dem den der des die doch du durch ein eine "
    "einem einen einer eines er es fur hat hatte ich ihr im in ist ja kann man mein mit nach nicht noch nur "
    "ob oder ohne sein seine sie sind so uber um und uns von vor wann war warum was wenn wer werden wie wir "
    "wird wo zu zum zur",
    "fr": "a au aux avec c ce ces cette comment d dans de des du elle en est et il ils j je l la le les leur lui ma "
    "mais me mes mon n ne nous on ou par pas pour pourquoi qu que quel quelle qui s sa se ses son sont sur ta "
    "te tu un une vous y",
    "es": "a al como con cual cuando de del donde el ella ellos en es esta este esto ha han hay la las le les lo "
    "los mas me mi muy no nos o para pero por porque que quien se ser si sin sobre son su sus te tu un una "
    "uno y ya yo",
    "it": "a ai al alla anche che chi ci come con cosa da dal dalla de dei del della delle di dove e ed gli ha "
    "hanno i il in io la le lei lo loro lui ma mi nei nel nella non o per perche piu quale quando questo se "
    "si sono su suo tra un una uno",
    "pt": "a ao aos as com como da das de dele do dos e ela ele em entre era essa esse esta este eu foi ha isso ja "
    "mais mas me meu na nao nas no nos o onde os ou para pela pelo por porque quando que quem se sem ser seu "
    "sua um uma voce",
    "nl": "aan al als bij dan dat de die dit door een en er haar hem het hij hoe hun ik in is je kan maar me met "
    "mijn na naar niet nog nu of om onder ons ook op over te tot uit van voor waar waarom was wat we wel werd "
    "wie wij wordt zal ze zich zijn zo",
}
_LANGUAGES = {name: frozenset(words.split()) for name, words in _WORDS.items()}


def stop_words(words: Collection[str]) -> frozenset[str]:
    """Returns the stop words of the language that words are probably of; none if that cannot be told.

    English "war" and "die" are stop words in German, so a single word does not tell a language; English is tried first.
    """
    name, known = max(_LANGUAGES.items(), key=lambda one: len(one[1].intersection(words)))
    count = len(known.intersection(words))
    return known if count > 1 or (count and name == "en") else frozenset()
