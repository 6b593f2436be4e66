"""Laws of what is kept: by question, for the kernel's life, within bounds, from any thread."""

import threading

from gradlab.predict import kept, predict

OPTIONS = ["one", "two"]


def test_the_same_question_keeps_its_prediction():
    predict("Which?", OPTIONS).commit("two")
    assert predict("Which?", OPTIONS).answer == "two"
    assert predict("Which?", {"one": "said later", "two": ""}).answer == "two"


def test_another_question_other_options_or_another_order_is_another_prediction():
    predict("Which?", OPTIONS).commit("two")
    predict("How much?", between=(0, 1)).commit(0.5)
    predict.sketch("Where?").commit(([0, 1], [1, 1]))
    for other in (predict("Which one?", OPTIONS), predict("Which?", ["one", "three"]), predict("Which?", OPTIONS[::-1]),
                  predict("How much?", between=(0, 2)), predict("How much?", between=(0, 1), unit="s"),
                  predict.sketch("Where?", y=(0, 2)), predict.sketch("Where?", log=True, y=(1, 4))):
        assert other.answer is None


def test_all_widgets_of_a_question_show_the_same(listen):
    first, second = predict("Which?", OPTIONS), predict("Which?", OPTIONS)
    page = listen(second)
    first.commit("one")
    assert page.state["answer"] == 0 and second.answer == "one"
    second.forget()
    assert first.answer is None and first.state == {"answer": None, "revealed": False, "truth": None}


def test_a_closed_widget_disturbs_no_other():
    first, second = predict("Which?", OPTIONS), predict("Which?", OPTIONS)
    first.close()
    second.commit("one")
    assert first.answer == "one"


def test_the_question_asked_longest_ago_is_forgotten_beyond_the_limit(monkeypatch):
    monkeypatch.setattr(kept, "LIMIT", 3)
    for name in ("first", "second", "third"):
        predict(name, OPTIONS).commit("one")
    predict("first", OPTIONS)
    predict("fourth", OPTIONS)
    assert len(kept._kept) == 3
    assert predict("first", OPTIONS).answer == "one"
    assert predict("second", OPTIONS).answer is None


def test_of_many_threads_one_commits():
    guess, start, refused = predict("Which?", [str(i) for i in range(6)]), threading.Barrier(6), []

    def commit(place):
        start.wait(30)
        try:
            guess.commit(place)
        except ValueError as error:
            refused.append(str(error))

    threads = [threading.Thread(target=commit, args=(place,)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(refused) == 5 and len({words.split()[0] for words in refused}) == 1
    assert guess.state["answer"] == int(guess.answer)


def test_a_thousand_commits_change_nothing_after_the_first(listen):
    guess = predict("Which?", OPTIONS)
    page = listen(guess)
    errors = [page.send(count % 2) for count in range(1000)]
    assert errors.count("") == 500 and guess.answer == "one" and len(kept._kept) == 1
