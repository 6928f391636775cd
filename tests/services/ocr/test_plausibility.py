"""Texts of many languages and kinds look like language; the same texts with exchanged letters do not."""

from __future__ import annotations

import random

import pytest

from artificer_services.ocr.page.comparison import compare
from artificer_services.ocr.page.plausibility import Plausibility, count_broken, plausibility, script_of

TEXTS = {
    "en": "The harbour master kept a careful record of every vessel that carried timber and wool from the islands.",
    "de": "Die Straße führt über den Fluss zur großen Mühle, in der früher das Korn der Bauern gemahlen wurde.",
    "fr": "Le capitaine a signé le registre avant de quitter le port, où les bateaux attendaient la marée haute.",
    "es": "El capitán firmó el libro antes de salir del puerto, donde los barcos esperaban la marea de la tarde.",
    "it": "Il capitano ha firmato il registro prima di lasciare il porto, dove le navi aspettavano la marea.",
    "pt": "O capitão assinou o livro antes de sair do porto, onde os navios esperavam pela maré da tarde.",
    "nl": "De havenmeester hield een nauwkeurig verslag bij van elk schip dat hout en wol van de eilanden bracht.",
    "sv": "Hamnmästaren förde en noggrann bok över varje fartyg som kom med timmer och ull från öarna i norr.",
    "da": "Havnefogeden førte en omhyggelig bog over hvert skib, der kom med tømmer og uld fra øerne i nord.",
    "fi": "Satamapäällikkö piti tarkkaa kirjaa jokaisesta laivasta, joka toi puutavaraa ja villaa saarilta.",
    "pl": "Kapitan portu prowadził dokładny rejestr każdego statku, który przywoził drewno i wełnę z wysp.",
    "cs": "Správce přístavu vedl pečlivé záznamy o každé lodi, která přivážela dřevo a vlnu z ostrovů.",
    "hu": "A kikötő parancsnoka gondosan feljegyzett minden hajót, amely fát és gyapjút hozott a szigetekről.",
    "ro": "Căpitanul portului ținea o evidență atentă a fiecărei nave care aducea lemn și lână din insule.",
    "tr": "Liman başkanı, adalardan kereste ve yün getiren her geminin kaydını dikkatle tutuyordu.",
    "id": "Kepala pelabuhan mencatat dengan teliti setiap kapal yang membawa kayu dan wol dari pulau utara.",
    "ru": "Начальник порта вёл подробную запись о каждом корабле, который привозил лес и шерсть с островов.",
    "uk": "Начальник порту вів докладний запис про кожен корабель, який привозив ліс і вовну з островів.",
    "bg": "Началникът на пристанището водеше подробен запис за всеки кораб, който носеше дървен материал.",
    "el": "Ο λιμενάρχης κρατούσε προσεκτικό αρχείο για κάθε πλοίο που έφερνε ξυλεία και μαλλί από τα νησιά.",
    "he": "מנהל הנמל ניהל רישום מדויק של כל ספינה שהביאה עצים וצמר מן האיים הצפוניים אל העיר הגדולה",
    "ar": "كان مدير الميناء يحتفظ بسجل دقيق لكل سفينة تحمل الخشب والصوف من الجزر الشمالية إلى المدينة",
    "th": "นายท่าเรือเก็บบันทึกอย่างละเอียดของเรือทุกลำที่บรรทุกไม้และขนสัตว์จากเกาะทางเหนือ",
    "hi": "बंदरगाह के अधिकारी ने द्वीपों से लकड़ी और ऊन लाने वाले हर जहाज का सावधानी से रिकॉर्ड रखा था",
    "ja": "港の責任者は、島から木材や羊毛を運ぶすべての船について、丁寧な記録を残していた。とても静かな季節だった。",
    "zh": "港务长仔细记录了每一艘从北方岛屿运来木材和羊毛的船只，冬天的下午四点以前就要点灯，没有人记得更安静的季节。",
    "ko": "항만 책임자는 섬에서 목재와 양모를 실어 오는 모든 배에 대해 꼼꼼한 기록을 남겼으며 겨울에는 일찍 불을 켰다.",
    "code": "def read(self, index):\n    for page in pages:\n        if page.error is None:\n            return None\n",
    "numbers": "\n".join(f"{n:05d}  {n * 37 % 991:7.2f}  {n * 91 % 877:7.2f}  2024-03-{n % 28:02d}" for n in range(40)),
    "parts": "\n".join(
        f"RES-{n:04d} SMD 0603 {n}k 1% PCB ASSY QTY {n % 7} MFR YAGEO PN RC0603FR-07{n}KL" for n in range(20)
    ),
    "leaders": "\n".join(f"Chapter {n} {'.' * 60} {n * 7}" for n in range(20)),
    "names": "Ottilie Zimmermann, Wilhelmshaven; Siobhan O'Sullivan, Galway; Przemyslaw Nowak, Krakow; Chen Xiuying",
}
ALPHABETS = ("abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщъыьэюя", "αβγδεζηθικλμνξοπρστυφχψω")


@pytest.mark.parametrize("name", TEXTS)
def test_sound_text_is_no_cause_for_doubt(name: str) -> None:
    found = plausibility(TEXTS[name])
    assert not found.doubtful
    assert found.quality < 1


@pytest.mark.parametrize(
    "name", [name for name in TEXTS if len(name) == 2 and script_of(TEXTS[name]) in ("Latin", "Cyrillic", "Greek")]
)
def test_text_with_exchanged_letters_is_doubtful(name: str) -> None:
    for seed in range(5):
        text = TEXTS[name].lower()
        for alphabet in ALPHABETS:
            letters = list(alphabet)
            random.Random(seed).shuffle(letters)  # no secret
            text = text.translate(str.maketrans(alphabet, "".join(letters)))
        assert plausibility(text).doubtful
    shifted = TEXTS[name].lower()
    for alphabet in ALPHABETS:
        shifted = shifted.translate(str.maketrans(alphabet, alphabet[3:] + alphabet[:3]))
    assert plausibility(shifted).doubtful


def test_signs_in_place_of_letters_are_doubtful() -> None:
    shifted = TEXTS["en"].lower().translate({code: code - 64 for code in range(ord("a"), ord("z") + 1)})
    assert plausibility(shifted).doubtful


def test_characters_without_a_meaning_within_words_are_counted() -> None:
    assert count_broken("\uf0b7 first item \uf0b7 second item") == 0
    assert count_broken("th\ufffd offic\ufffd of \ufffdach") == 3


EN, DE, RU = TEXTS["en"], TEXTS["de"], TEXTS["ru"]
NONSENSE = "Wkh kduerxu pdvwhu nhsw d fduhixo uhfrug ri hyhub yhvvho wkdw fduulhg wlpehu dqg zrro iurp wkh lvodqgv."
MISREAD = "HayanbHmk nopta pén nogpo6uyio sanucb 0 KaxqoM Kopa6ne, KoTOpbiii npuBo3un nec n wepcTb c OcTpOBOB."


@pytest.mark.parametrize(
    ("layer", "found", "confidence", "kept"),
    [
        (NONSENSE, EN, 0.95, "ocr"),
        (RU, MISREAD, 0.55, "layer"),  # English data on a Russian page
        (RU, MISREAD, 0.8, "layer"),  # even if it is sure of itself
        (DE, "Die StraBe fihrt iiber den Fluss zur groBen Mihle", 0.7, "layer"),
        (DE, EN, 0.95, "ocr"),  # both read well: the pixels count
        (EN, f"{EN} {EN}", 0.9, "ocr"),  # the layer has lost half of the page
        (EN, EN[:40], 0.9, "layer"),
        (EN, "", 0.0, "layer"),
        ("x", EN, 0.7, "ocr"),
        ("नम\ufffdते \ufffdन\ufffdया यह एक ह\ufffd\ufffdदी द\ufffdतावेज़ है", "ane gran ae Ve feat ceaas S", 0.27, "layer"),
        ("\ue010\ue011\ue012" * 20, EN, 0.9, "ocr"),
    ],
)
def test_the_better_text_is_kept(layer: str, found: str, confidence: float, kept: str) -> None:
    assert compare(layer, plausibility(layer), found, confidence).kept == kept


def test_a_comparison_reports_qualities_of_one_kind() -> None:
    compared = compare(NONSENSE, plausibility(NONSENSE), EN, 0.9)
    assert compared.layer == plausibility(NONSENSE).quality < 0.5 < plausibility(EN).quality == compared.ocr
    assert Plausibility(0.9).quality == 0.9
