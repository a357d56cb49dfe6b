"""English word lists of our own, by topic: things, tasks, places and measures. Four topics make an area."""

# ruff: noqa: E501 - word lists and grammar lines are as long as they are

from __future__ import annotations

THINGS, TASKS, PLACES, MEASURES = "thing", "task", "place", "measure"

AREAS = ("software", "science", "numbers", "health", "humanities", "business", "daily", "craft")
"""Areas of four topics each, in the order of `TOPICS`; other languages have one word list an area."""

_SOURCE = """
web services
thing: load balancer; session cookie; rate limiter; webhook handler; message queue; service mesh; reverse proxy; cache layer; feature flag; health check; retry policy; upload endpoint; pagination cursor; token refresh; static bundle; event bus
task: shorten cold starts; version the public interface; drain connections before a restart; keep retries from doubling a write; stream large downloads; split a monolith; trace a slow request; roll back a bad release; share sessions between nodes; test a timeout
place: a ticketing site; a regional newspaper; a two-person shop; a booking portal; a school intranet; a parcel service; a sports club; a museum archive
measure: tail latency; error rate; requests per second; cache hit ratio; time to first byte; open connections; memory per worker; deploy time

machine learning
thing: embedding model; loss curve; validation split; attention head; gradient norm; class imbalance; feature store; decision tree; tokeniser; learning rate schedule; confusion matrix; label noise; ranking model; convolution layer; drift monitor; reward signal
task: find out why the loss stalls; balance rare classes; compress a network for a phone; compare two rankers fairly; detect drift in inputs; choose a batch size; explain a single prediction; clean mislabelled rows; reproduce a published baseline; calibrate probabilities
place: a crop insurer; a radiology ward; a call centre; a translation bureau; a wind park; a music label; a fraud desk; a warehouse
measure: calibration error; recall at ten; area under the curve; training time; perplexity; false alarm rate; inference cost; agreement between raters

databases
thing: composite index; foreign key; materialised view; vacuum job; write-ahead log; replication slot; query plan; partition scheme; deadlock; migration script; connection pool; audit table; lookup table; stored procedure; full text search; column store
task: rewrite a correlated subquery; move a table without downtime; find duplicate customers; archive old rows; model a hierarchy; count distinct visitors; explain a sequential scan; restore to a point in time; design keys for sharding; merge two schemas
place: a public library; a clinic network; a tram operator; a wholesale market; a housing registry; a film archive; a blood bank; a payroll office
measure: rows scanned; lock waits; replication lag; bytes per row; buffer hits; commit time; bloat; slow query count

systems and security
thing: kernel module; certificate chain; firewall rule; backup job; container image; privilege boundary; log shipper; password vault; intrusion alert; patch window; disk quota; jump host; secret rotation; boot loader; audit trail; sandbox
task: rotate keys without an outage; harden a small server; read a core dump; find what filled the disk; plan a recovery drill; limit what a container may do; automate certificate renewal; tell noise from a real alert; move home folders; document an incident
place: a town hall; a harbour office; a dental practice; a logistics depot; a university lab; a foundation; a radio station; a bakery chain
measure: mean time to repair; patch age; failed logins; backup size; load average; packet loss; alert volume; restore time

physics
thing: harmonic oscillator; inclined plane; magnetic flux; heat engine; standing wave; lens system; pendulum; electric dipole; spring constant; black body; Doppler shift; gyroscope; capacitor; laminar flow; photon; half-life
task: derive the period of small swings; estimate the drag on a cyclist; find the focal length of two lenses; balance forces on a ramp; compare conduction and radiation; compute the energy stored in a coil; explain why the sky is blue; bound an error in a measurement; sketch a phase diagram; convert between frames
place: a ski jump; a lighthouse; a bicycle wheel; a kitchen stove; a suspension bridge; a wind tunnel; a swimming pool; a concert hall
measure: angular momentum; thermal conductivity; wavelength; kinetic energy; pressure; torque; resistance; refractive index

chemistry
thing: buffer solution; reaction rate; ester; catalyst; crystal lattice; titration curve; polymer chain; redox couple; hydrogen bond; chromatogram; activation energy; solvent mixture; isomer; electrolyte; oxidation state; enzyme
task: balance a combustion equation; predict the product of a substitution; choose an indicator; explain why salt lowers the freezing point; separate two alcohols; estimate a yield; compare ionic and covalent bonds; plan a safe dilution; read an infrared spectrum; name a branched alkane
place: a brewery; a pool supply shop; a paint factory; a school laboratory; a water works; a soap maker; a pharmacy; a tannery
measure: molarity; boiling point; pH; enthalpy; yield; solubility; equilibrium constant; purity

biology
thing: mitochondrion; food web; ribosome; pollinator; gene cluster; cell membrane; lichen; immune response; mutation; root nodule; predator; plasmid; photosynthesis; migration route; stem cell; biofilm
task: explain how vaccines train the body; compare mitosis and meiosis; read a family tree of traits; estimate a population from samples; describe the nitrogen cycle; tell two species of warbler apart; outline gene expression; explain antibiotic resistance; plan a pond survey; follow energy through a meadow
place: a salt marsh; an alpine meadow; a hatchery; an orchard; a coral nursery; a botanical garden; a veterinary school; a peat bog
measure: biodiversity index; growth rate; allele frequency; biomass; survival rate; cell count; leaf area; incubation time

astronomy
thing: elliptical orbit; red giant; light curve; parallax; comet tail; spectral line; meteor shower; lunar eclipse; exoplanet; star cluster; telescope mirror; tidal force; dark nebula; supernova; orbital resonance; radio dish
task: find the distance of a nearby star; explain the seasons; plan an observing night; compute an escape velocity; read a star chart; compare rocky and gas planets; describe how a telescope gathers light; estimate a transit depth; explain the phases of the moon; date a crater
place: a mountain observatory; a school roof; a desert camp; a planetarium; a balcony in town; a radio array; an island station; a science fair
measure: apparent magnitude; redshift; orbital period; angular size; luminosity; surface gravity; signal to noise; albedo

algebra and geometry
thing: quadratic equation; matrix inverse; prime factor; inscribed circle; geometric series; polynomial; vector space; permutation; proof by induction; complex root; linear map; triangle inequality; modular inverse; determinant; tangent line; group action
task: prove that the sum is even; find all integer solutions; bound the remainder; compute the area between two curves; show that the map is one to one; count the arrangements; simplify the expression; find the shortest path on a cube; solve the recurrence; decide whether the series converges
place: a tiled floor; a chessboard; a ladder against a wall; a round table; a circular track; a folded sheet; a clock face; a garden plot
measure: slope; perimeter; volume; degree; rank; modulus; greatest common divisor; angle

statistics
thing: confidence interval; sample size; regression slope; outlier; control group; prior distribution; survival curve; p-value; random effect; bootstrap sample; contingency table; time series; missing value; sampling frame; power analysis; residual plot
task: compare two proportions; decide how many people to ask; handle dropouts; explain a confounder; choose between a mean and a median; test a change before and after; combine three small studies; forecast weekly sales; check an assumption of normality; read a skewed histogram
place: a sleep study; a bus survey; a tasting panel; a school district; an allotment society; a call log; a bird count; a reading trial
measure: standard error; effect size; variance; correlation; odds ratio; response rate; interquartile range; bias

personal finance
thing: fixed-rate mortgage; emergency fund; index fund; pension plan; credit score; tax bracket; standing order; savings account; insurance premium; exchange rate; household budget; student loan; dividend; invoice; overdraft; rent deposit
task: compare two loans; plan for a new roof; split costs in a shared flat; decide between renting and buying; read a pay slip; set aside money for taxes; pay debts off in a good order; price freelance work; check a bill for mistakes; save for a long trip
place: a family of four; a couple near retirement; a first job; a student flat; a small farm; a market stall; a freelance studio; a village club
measure: annual rate; monthly instalment; net income; total cost; inflation; break-even point; liquidity; fee

economics
thing: demand curve; trade deficit; price floor; labour market; public good; monopoly; carbon tax; central bank; supply shock; auction; minimum wage; tariff; housing bubble; game tree; externality; bond yield
task: explain why prices stick; find the equilibrium; compare a tax and a quota; discuss who bears a tariff; describe moral hazard; model two competing ferries; measure inequality; weigh growth against debt; explain comparative advantage; predict the effect of a subsidy
place: a fishing port; a coffee region; a ski village; a toll bridge; a steel town; an island state; a taxi market; a dairy board
measure: elasticity; output gap; unemployment; marginal cost; purchasing power; surplus; productivity; interest spread

medicine
thing: blood pressure reading; antibiotic course; thyroid hormone; fracture; allergy test; insulin dose; heart murmur; kidney stone; discharge letter; wound dressing; asthma inhaler; vaccination record; migraine; liver enzyme; consent form; triage note
task: explain a lab result in plain words; prepare questions for a doctor; compare two blood thinners; summarise a discharge letter; describe how a stent works; list signs that need urgent care; plan a medication schedule; explain referred pain; understand a scan report; write a handover
place: a rural practice; a night ward; a travel clinic; a nursing home; an ambulance post; a children's hospital; a rehabilitation centre; a dialysis unit
measure: dosage; heart rate; body temperature; sensitivity; oxygen saturation; white cell count; recovery time; relapse rate

nutrition
thing: iron intake; dietary fibre; vitamin level; meal plan; food label; lactose intolerance; protein shake; salt content; fermented food; breakfast; portion size; trans fat; food allergy; whole grain; blood sugar; school lunch
task: plan a week without nuts; raise iron without meat; read a food label; cook for one on a small budget; compare oils for frying; pack lunch for a hike; cut sugar slowly; feed a picky child; store cooked rice safely; adapt a recipe for an allergy
place: a canteen; a climbing camp; a food bank; a dormitory kitchen; a care home; a rowing club; a holiday flat; a kindergarten
measure: calories; grams of protein; glycaemic load; shelf life; serving size; sodium; daily allowance; cost per meal

sport and fitness
thing: interval session; hamstring; resting pulse; training log; foam roller; marathon plan; warm-up; rowing stroke; grip; hill sprint; stretching routine; bouldering wall; bike saddle; recovery day; kettlebell; swim set
task: return to running after a break; train for a first ten kilometres; loosen stiff shoulders; set up a bike; plan a season; build strength at home; pace a long climb; ease knee pain on stairs; coach beginners; taper before a race
place: a village gym; a river path; a school hall; a velodrome; a mountain hut; an office corner; a lake; a city park
measure: cadence; weekly distance; heart rate zone; repetitions; body weight; lap time; range of motion; effort

psychology
thing: sleep habit; working memory; panic attack; attachment style; bias; feedback talk; procrastination; grief; group norm; motivation; burn-out; self-control; placebo effect; reading habit; conflict; stage fright
task: prepare a hard conversation; settle children before bed; explain the anchoring effect; build a small habit; support a friend in grief; give feedback without hurting; handle a tense meeting; plan a quiet week; understand a nightmare; ask for help at work
place: a shared office; a first year at college; an exam hall; a choir; a newborn's home; a night shift; a sports team; a long-distance couple
measure: attention span; stress level; mood score; reaction time; satisfaction; recall; hours of sleep; trust

history
thing: city charter; grain trade; peasant revolt; printing press; trade route; royal court; border treaty; archive letter; guild; plague year; railway boom; census; colony; parliament; coin hoard; shipwreck
task: compare two revolutions; explain why an empire declined; place a letter in its time; outline the causes of a war; describe daily life in a port; trace the spread of paper; weigh two sources that disagree; write a short timeline; explain a treaty's terms; tell myth from record
place: a Hanseatic town; a river delta; a silk road oasis; a mining valley; a walled monastery; a whaling port; a frontier fort; a market square
measure: population; grain price; literacy; tonnage; tax burden; life expectancy; share of harvest; wages

literature
thing: unreliable narrator; sonnet; opening line; metaphor; short story; chorus; stage direction; villain; epistolary novel; rhyme scheme; inner monologue; fable; plot twist; dialogue; travelogue; elegy
task: write a scene without dialogue; compare two poems; tighten a first chapter; find a title; describe a storm from a child's view; turn a letter into a story; explain an allusion; vary the rhythm of a paragraph; invent a folk tale; outline a mystery
place: a lighthouse keeper's house; a night train; a flooded village; a theatre cellar; a border post; an abandoned fairground; an attic; a ferry
measure: tone; pace; syllable count; chapter length; point of view; tension; register; imagery

philosophy and religion
thing: social contract; free will; thought experiment; moral duty; category mistake; scepticism; virtue; paradox; ritual; personal identity; just war; utilitarian argument; pilgrimage; natural law; meditation; parable
task: state the argument in steps; find the hidden premise; compare two accounts of duty; explain the ship of Theseus; answer an objection; discuss whether animals have rights; define knowledge; describe a festival's meaning; defend a minority view fairly; separate facts from values
place: a trolley on a track; a desert island; a village council; a hospital ethics board; a debating club; a monastery; a court; a classroom
measure: consistency; burden of proof; well-being; fairness; certainty; responsibility; charity; scope

law
thing: lease agreement; notice period; warranty claim; data protection notice; liability clause; copyright licence; employment contract; power of attorney; small claims form; easement; non-disclosure agreement; appeal; trademark; will; parking fine; settlement
task: explain a clause in plain words; draft a complaint about a late refund; compare two licences; list what a lease must say; prepare for a hearing; summarise a ruling; object to a rent rise; write a fair privacy notice; check a deadline; outline a co-operative's rules
place: a tenants' union; a start-up; a housing co-operative; a photo agency; a family firm; a school board; a construction site; a flea market
measure: limitation period; damages; notice days; fee; burden of proof; penalty; deposit; share

marketing
thing: newsletter; landing page; brand voice; press release; loyalty card; survey; slogan; product launch; open rate; influencer; target group; blog post; price tag; unsubscribe link; trade fair; referral code
task: write three subject lines; describe a product without clichés; plan a launch on a small budget; turn reviews into a headline; compare two slogans; answer a bad review; build a content calendar; shorten a press release; name a tea blend; find the tone for young parents
place: a bicycle repair shop; an organic dairy; a board game publisher; a language school; a hotel by the sea; a climbing hall; a bookshop; a seed company
measure: conversion; reach; click rate; cost per lead; repeat purchases; bounce rate; awareness; churn

people and work
thing: job advert; onboarding plan; performance review; shift roster; exit interview; pay band; meeting agenda; holiday request; team charter; reference letter; probation; mentoring; workload; remote policy; job title; grievance
task: write a job advert; prepare a review talk; plan a shift swap; mediate between two colleagues; shorten a weekly meeting; draft a reference; welcome a new team mate; explain a new policy; answer an applicant kindly; plan handover before leave
place: a hospital laundry; a software team; a hotel reception; a bus depot; a kindergarten; a newspaper desk; a cannery; a theatre
measure: turnover; sick days; overtime; headcount; time to hire; satisfaction; training hours; absence rate

customer service
thing: refund request; late parcel; broken zip; warranty card; missed appointment; double charge; lost password; return label; damaged box; cancelled booking; gift voucher; delivery slot; complaint; size exchange; subscription; invoice copy
task: apologise without blaming; ask for a photo of the damage; explain a delay; offer a fair replacement; close a long thread; calm an angry caller; confirm a cancellation; explain the return steps; escalate a case; thank a loyal customer
place: a shoe shop; a ferry line; an internet provider; a furniture maker; a concert hall; a pet food store; a phone repair kiosk; a garden centre
measure: waiting time; first reply; resolution rate; tickets per day; refund amount; rating; repeat contacts; delivery days

logistics
thing: delivery route; pallet; customs form; cold chain; loading dock; stock level; lead time; forklift; container; spare part; barcode; returns hall; freight rate; driver shift; safety stock; packing list
task: plan routes for six vans; reduce empty trips; forecast spare parts; set a reorder point; label mixed pallets; schedule docks; track a lost container; choose a carrier; cut packing waste; prepare an inventory
place: a flower auction; a parts warehouse; a vaccine store; a river port; a bakery; a mail hub; a wine merchant; a furniture plant
measure: fill rate; turnover; on-time share; cost per stop; pallets per hour; damage rate; stock days; mileage

cooking
thing: sourdough; lentil soup; roast vegetables; custard; dumpling dough; tomato sauce; pickled cabbage; pancake; flatbread; stock; risotto; cheese cake; chutney; omelette; noodle broth; shortcrust
task: rescue a split sauce; scale a recipe for twelve; replace eggs in a cake; time a three course dinner; keep bread fresh; season without salt; cook beans from dry; plan a picnic; bake at altitude; use up stale bread
place: a camping stove; a tiny kitchen; a wedding; a school fair; a mountain hut; a Sunday table; a food truck; a houseboat
measure: oven temperature; hydration; resting time; sweetness; portions; acidity; texture; cooking time

travel
thing: night train; packing list; ferry ticket; walking tour; visa form; city pass; hostel; travel insurance; mountain pass; rental car; layover; phrase book; museum day; street market; camp site; bike route
task: plan four days without a car; pack for rain and heat; cross a border by bus; find quiet places; travel with a toddler; compare rail passes; spend a long layover; write a postcard; choose between two islands; keep costs down
place: Lisbon; the Carpathians; Hokkaido; Oaxaca; the Faroe Islands; Tbilisi; Cape Breton; Ljubljana
measure: daily budget; travel time; altitude; rainfall; luggage weight; distance; price; crowds

gardening
thing: raised bed; tomato blight; compost heap; rose hedge; seed tray; rain barrel; herb spiral; lawn; apple tree; slug trap; cold frame; bulb; mulch; wild flower strip; greenhouse; vine
task: plan a shady border; prune an old apple tree; get rid of slugs kindly; start chillies indoors; improve clay soil; water less in August; attract bees; rotate crops; save seeds; overwinter a fig
place: a north-facing balcony; an allotment; a school yard; a windy coast; a roof terrace; a village green; a courtyard; a dry slope
measure: soil pH; frost days; yield; spacing; watering interval; daylight; germination rate; depth

family and school
thing: bedtime story; school project; pocket money; screen time; birthday party; reading log; spelling list; class trip; science poster; timetable; nursery place; homework; board game; lost tooth; parents' evening; swimming lesson
task: explain fractions with food; plan a rainy birthday; write a note to the teacher; settle a quarrel; invent a treasure hunt; practise spelling; answer why the sea is salty; prepare a poster; choose a first instrument; make a chore plan
place: a family of five; a village school; a nursery group; a holiday camp; a grandparents' house; a long car ride; a scout troop; a library corner
measure: reading age; minutes of practice; group size; attention; weekly hours; pocket money; vocabulary; distance to school

climate and energy
thing: heat pump; solar roof; wind turbine; battery store; carbon budget; flood map; insulation; district heating; smart meter; grid frequency; hydrogen tank; drought index; sea wall; peat restoration; charging point; emissions report
task: size a solar roof; compare heat pump and gas; read an emissions report; plan for a heat wave; explain grid balancing; estimate savings from insulation; rank measures by cost; describe a flood plan; check a green claim; model demand in winter
place: an old farm house; an island grid; a housing block; a steel works; a ski resort; a coastal town; a bus depot; a cold store
measure: kilowatt hours; load factor; payback time; tonnes saved; peak demand; efficiency; rainfall; capacity

agriculture
thing: crop rotation; milking robot; soil sample; irrigation line; grain silo; bee hive; cover crop; vineyard; fertiliser plan; hay bale; pest trap; seed drill; grazing plan; greenhouse; harvest crew; field map
task: plan a rotation of four years; read a soil test; cut water use; time the harvest; keep mould out of hay; compare two seed mixes; fence a steep pasture; price a share box; control aphids; plan a hedge
place: a hill farm; a rice terrace; a dairy; an olive grove; a market garden; a sheep station; a seed bank; a potato field
measure: yield per hectare; moisture; stocking rate; nitrogen; milk per cow; loss; labour hours; rainfall

music and art
thing: chord progression; watercolour; drum pattern; bass line; linocut; string quartet; colour wheel; vocal warm-up; mural; synthesiser; clay glaze; film score; sketchbook; metronome; choir part; camera lens
task: write a bridge for a song; mix a warm grey; practise scales without boredom; explain counterpoint; plan an exhibition; tune a guitar by ear; light a portrait; arrange a folk song; describe a painting; choose paper
place: a village choir; a garage band; a print studio; a street festival; a school orchestra; a ceramics class; a small gallery; a radio play
measure: tempo; key; contrast; dynamic range; exposure; interval; opacity; rhythm

building and machines
thing: roof truss; gear box; bearing; timber joint; steel beam; hydraulic pump; stair plan; weld seam; concrete mix; door hinge; ventilation duct; crane; drill press; foundation; bolt pattern; window frame
task: size a beam for a balcony; quiet a rattling fan; choose a bolt; find why a pump loses pressure; plan a ramp; compare glue and screws; read a tolerance; draw a simple cut list; seal a window; set a maintenance plan
place: a tram workshop; a timber house; a sawmill; a boat yard; a school extension; a bakery oven; a cable car; a print shop
measure: torque; load; tolerance; stiffness; span; friction; flow rate; wear
"""


def _read(source: str) -> tuple[tuple[str, dict[str, tuple[str, ...]]], ...]:
    topics = []
    for block in source.strip().split("\n\n"):
        name, *lines = block.split("\n")
        lists = {}
        for line in lines:
            kind, _, words = line.partition(": ")
            lists[kind] = tuple(word.strip() for word in words.split(";"))
        topics.append((name, lists))
    return tuple(topics)


TOPICS = _read(_SOURCE)
"""(name, word lists) of each topic."""
