'use strict';
// Asks the questions of the study one after the other. What was answered is kept in the
// browser, so that a page that is loaded again goes on where it was.
(() => {
  const study = JSON.parse(document.getElementById('study').textContent);
  const kept = 'mmanon-study-' + study.id;
  const at = (id) => document.getElementById(id);
  const ASK = {
    pairs: 'Do these two pictures show the same person?',
    names: 'Which of these people is it?',
  };
  let state = load() || {
    respondent: randomId(), started: now(), finished: null, place: -1, answers: {},
  };
  let shownAt = 0;

  function now() { return new Date().toISOString(); }

  function randomId() {
    const bytes = crypto.getRandomValues(new Uint8Array(8));
    return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join('');
  }

  // Some browsers keep nothing for pages from a file.
  function load() {
    try { return JSON.parse(localStorage.getItem(kept)); } catch { return null; }
  }

  function keep() {
    try { localStorage.setItem(kept, JSON.stringify(state)); } catch { /* go on */ }
  }

  function picture(id, text) {
    const image = document.createElement('img');
    image.src = study.images[id];
    image.alt = text;
    return image;
  }

  function answerButton(number, answer, label, pictures, chosen) {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset.answer = JSON.stringify(answer);
    if (chosen) { button.className = 'chosen'; }
    if (pictures.length) {
      const frame = document.createElement('span');
      frame.className = 'pictures';
      pictures.forEach((id) => frame.append(picture(id, 'photograph of ' + label)));
      button.append(frame);
    }
    const text = document.createElement('span');
    text.className = 'label';
    text.textContent = number + '. ' + label;
    button.append(text);
    button.addEventListener('click', () => take(answer));
    return button;
  }

  function show() {
    at('welcome').hidden = state.place >= 0;
    at('question').hidden = state.place < 0 || state.place >= study.questions.length;
    at('finish').hidden = state.place < study.questions.length;
    if (!at('finish').hidden) { offerFile(); return; }
    if (at('question').hidden) { return; }
    const question = study.questions[state.place];
    const given = state.answers[question.id];
    at('progress').textContent =
      'Question ' + (state.place + 1) + ' of ' + study.questions.length;
    at('ask').textContent = ASK[question.kind];
    at('shown').replaceChildren(
      ...question.images.map((id) => picture(id, 'changed face')));
    at('answers').replaceChildren(...question.choices.map((choice, index) =>
      answerButton(index + 1, choice.answer, choice.label, choice.images,
        given !== undefined && given.answer === choice.answer)));
    at('back').disabled = state.place === 0;
    at('ask').focus({ preventScroll: true });
    window.scrollTo(0, 0);
    shownAt = performance.now();
  }

  function take(answer) {
    const id = study.questions[state.place].id;
    const seconds = (performance.now() - shownAt) / 1000;
    const before = state.answers[id] ? state.answers[id].seconds : 0;
    state.answers[id] = { answer, seconds: before + seconds };
    go(state.place + 1);
  }

  function go(place) {
    state.place = place;
    if (place >= study.questions.length && !state.finished) { state.finished = now(); }
    keep();
    show();
  }

  function offerFile() {
    const content = {
      format: study.answers_format,
      study: study.id,
      respondent: { kind: 'person', id: state.respondent },
      started: state.started,
      finished: state.finished,
      answers: study.questions.map((question) => ({
        question: question.id,
        answer: state.answers[question.id].answer,
        seconds: Math.round(state.answers[question.id].seconds * 1000) / 1000,
      })),
    };
    const text = JSON.stringify(content, null, 1) + '\n';
    const blob = new Blob([text], { type: 'application/json' });
    at('save').href = URL.createObjectURL(blob);
    at('save').download = 'answers_' + study.id + '_' + state.respondent + '.json';
    at('finish').querySelector('h1').focus({ preventScroll: true });
  }

  at('start').addEventListener('click', () => { state.started = now(); go(0); });
  at('back').addEventListener('click', () => go(state.place - 1));
  document.addEventListener('keydown', (event) => {
    if (at('question').hidden || event.repeat) { return; }
    if (event.ctrlKey || event.altKey || event.metaKey) { return; }
    const question = study.questions[state.place];
    const choice = question.choices[Number(event.key) - 1];
    if (choice) { take(choice.answer); }
  });
  show();
})();
